"""Overlap of two masks, from voxel counts: Dice and its relatives."""

from dataclasses import dataclass

import numpy as np

from .empty import similarity
from .masks import check_masks


@dataclass(frozen=True)
class Counts:
    """Voxels of a prediction A and a reference B.

    Attributes:
        prediction: |A|.
        reference: |B|.
        intersection: |A ∩ B|.
    """

    prediction: int
    reference: int
    intersection: int


def counts(prediction: np.ndarray, reference: np.ndarray) -> Counts:
    """Count the voxels of two masks and of their intersection.

    Args:
        prediction: Bool array of any shape.
        reference: Bool array of the same shape.

    Returns:
        The three counts; all overlap measures follow from them.

    Raises:
        InputError: If the masks are not bool or their shapes differ.
    """
    check_masks(prediction, reference, ndims=())
    return Counts(*(int(np.count_nonzero(mask)) for mask in (prediction, reference, prediction & reference)))


def dice(voxels: Counts) -> float:
    """Dice coefficient: 2|A∩B| / (|A|+|B|), in [0, 1] (Valverde & Tohka 2022, equation 6).

    Args:
        voxels: From `counts`.

    Returns:
        The coefficient. Both masks empty: 1; one empty: 0.

    Examples:
        >>> import numpy as np
        >>> prediction, reference = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
        >>> prediction[2:4, 2:4] = True
        >>> reference[2:4, 2:6] = True
        >>> round(dice(counts(prediction, reference)), 3)  # 2 * 4 / (4 + 8)
        0.667
    """
    return similarity(voxels, lambda: 2 * voxels.intersection / (voxels.prediction + voxels.reference))


def jaccard(voxels: Counts) -> float:
    """Jaccard index (IoU): |A∩B| / |A∪B|, in [0, 1]. Both empty: 1; one empty: 0."""
    union = voxels.prediction + voxels.reference - voxels.intersection
    return similarity(voxels, lambda: voxels.intersection / union)


def precision(voxels: Counts) -> float:
    """Fraction of the prediction that is correct: |A∩B| / |A|, in [0, 1]. Both empty: 1; one empty: 0."""
    return similarity(voxels, lambda: voxels.intersection / voxels.prediction)


def sensitivity(voxels: Counts) -> float:
    """Fraction of the reference that is found: |A∩B| / |B|, in [0, 1]. Both empty: 1; one empty: 0."""
    return similarity(voxels, lambda: voxels.intersection / voxels.reference)


def volumetric_similarity(voxels: Counts) -> float:
    """Agreement of the two volumes, wherever they lie: 1 - ||A|-|B|| / (|A|+|B|), in [0, 1].

    Both empty: 1; one empty: 0. It is 1 for two equal volumes that do not touch: read it beside Dice.
    """
    total = voxels.prediction + voxels.reference
    return similarity(voxels, lambda: 1 - abs(voxels.prediction - voxels.reference) / total)
