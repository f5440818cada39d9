"""Image-level detection of a structure, with a volume below which it counts as absent."""

from collections.abc import Sequence

import numpy as np


def detection_counts(
    prediction_ml: Sequence[float], reference_ml: Sequence[float], threshold_ml: float
) -> dict[str, float | int | None]:
    """Count images by the presence of a structure.

    Args:
        prediction_ml: Predicted volume of each image, in ml.
        reference_ml: Reference volume of each image, in ml.
        threshold_ml: A volume below it counts as absent, in prediction and reference; 0 ml is always absent.

    Returns:
        ``threshold_ml``, ``TP``, ``FP``, ``FN``, ``TN``, ``sensitivity`` TP / (TP + FN) and ``specificity``
        TN / (TN + FP), None where no image is (or is not) positive.
    """
    found, there = (
        (volumes > 0) & (volumes >= threshold_ml)
        for volumes in (np.asarray(prediction_ml, float), np.asarray(reference_ml, float))
    )
    tp, fp = int(np.sum(found & there)), int(np.sum(found & ~there))
    fn, tn = int(np.sum(~found & there)), int(np.sum(~found & ~there))
    return {
        "threshold_ml": float(threshold_ml),
        "TP": tp,
        "FP": fp,
        "FN": fn,
        "TN": tn,
        "sensitivity": tp / (tp + fn) if tp + fn else None,
        "specificity": tn / (tn + fp) if tn + fp else None,
    }
