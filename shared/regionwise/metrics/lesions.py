"""Lesion-wise measures: connected components instead of voxels."""

from dataclasses import dataclass

import cc3d
import numpy as np

OVERLAP_RULE = (
    "a lesion is a connected component (26 neighbours, 8 in 2-D); a reference lesion is found if the prediction holds "
    "at least one of its voxels; a predicted lesion is false if it holds no voxel of the reference"
)


@dataclass(frozen=True)
class LesionCounts:
    """Lesions of a prediction and a reference.

    Attributes:
        found: reference lesions that the prediction touches (TP).
        missed: reference lesions that it does not touch (FN).
        false: predicted lesions that touch no reference lesion (FP).
        predicted: all predicted lesions; one may touch several reference lesions, and the other way round.
    """

    found: int
    missed: int
    false: int
    predicted: int


def count_lesions(prediction: np.ndarray, reference: np.ndarray) -> LesionCounts:
    """Count lesions by the `OVERLAP_RULE`.

    Args:
        prediction: bool array, 2-D or 3-D.
        reference: bool array of the same shape.

    Returns:
        The counts; all 0 for two empty masks.
    """
    predicted, n_predicted = _components(prediction)
    lesions, n_reference = _components(reference)
    both = prediction & reference
    found = len(np.unique(lesions[both]))
    return LesionCounts(found, n_reference - found, n_predicted - len(np.unique(predicted[both])), n_predicted)


def lesion_sensitivity(lesions: LesionCounts) -> float:
    """Part of the reference lesions that is found, TP / (TP + FN). No lesion on either side: 1; on one side: 0."""
    return _policy(lesions, lesions.found, lesions.found + lesions.missed)


def lesion_f1(lesions: LesionCounts) -> float:
    """Lesion-wise F1, 2 TP / (2 TP + FP + FN). No lesion on either side: 1; on one side: 0."""
    return _policy(lesions, 2 * lesions.found, 2 * lesions.found + lesions.false + lesions.missed)


def lesion_count_difference(lesions: LesionCounts) -> int:
    """Predicted minus reference lesions."""
    return lesions.predicted - lesions.found - lesions.missed


def _policy(lesions: LesionCounts, part: int, whole: int) -> float:
    if not lesions.predicted and not lesions.found + lesions.missed:
        return 1.0
    return part / whole if whole else 0.0


def _components(mask: np.ndarray) -> tuple[np.ndarray, int]:
    if not mask.any():
        return np.zeros(mask.shape, np.uint16), 0
    return cc3d.connected_components(mask, connectivity=26 if mask.ndim == 3 else 8, return_N=True)
