"""Votes of several raters at each voxel: the majority's label, and the share of each."""

import numpy as np

from ..labels import as_labels


def majority_vote(raters: np.ndarray) -> np.ndarray:
    """Most frequent label of each voxel; where labels tie, the smallest of them (the background before any structure).

    Args:
        raters: (K, *spatial) integers >= 0.

    Returns:
        Labels (*spatial), of the raters' type.
    """
    winner, most = raters[0].copy(), np.zeros(raters.shape[1:], np.uint16)
    for label in np.unique(raters):
        votes = (raters == label).sum(0, dtype=np.uint16)
        more = votes > most
        winner[more], most[more] = label, votes[more]
    return winner


def average_raters(raters: np.ndarray, num_classes: int | None = None) -> np.ndarray:
    """Share of the raters who gave each class: soft labels.

    Args:
        raters: (K, *spatial) integers >= 0.
        num_classes: C, the background included; by default the largest label and 1.

    Returns:
        float32 (C, *spatial); the classes of a voxel sum to 1.

    Raises:
        InputError: If a label is not smaller than num_classes.
    """
    raters = as_labels(raters, num_classes)
    number = int(raters.max(initial=0)) + 1 if num_classes is None else num_classes
    return np.stack([(raters == label).mean(0, dtype=np.float32) for label in range(number)])
