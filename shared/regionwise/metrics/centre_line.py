"""Centre-line Dice for vessels and other tubes (Shit et al., CVPR 2021)."""

import numpy as np
from scipy import ndimage

from .empty import similarity
from .overlap import Counts


def centre_line_dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Centre-line Dice 2 T_p T_s / (T_p + T_s), with T_p = |S_A ∩ B| / |S_A| and T_s = |S_B ∩ A| / |S_B|.

    S_M is the `skeleton` of M, in voxels: spacing plays no part. It asks whether the course of a tube is found, not how
    wide the tube is.

    Args:
        prediction: bool array, 2-D or 3-D.
        reference: bool array of the same shape.

    Returns:
        The measure in [0, 1]; both masks empty: 1, one empty: 0.
    """
    sizes = Counts(np.count_nonzero(prediction), np.count_nonzero(reference), 0)
    return similarity(
        sizes, lambda: _harmonic_mean(_part_inside(prediction, reference), _part_inside(reference, prediction))
    )


def skeleton(mask: np.ndarray) -> np.ndarray:
    """Morphological skeleton: the union over k of E_k - dilate(E_{k+1}), with E_k the mask eroded k times.

    Erosion by face neighbours, dilation by all neighbours: what clDice's soft skeleton is on a binary mask. Thinning
    (`skimage.morphology.skeletonize`) is not used because it deletes tubes of even width altogether
    (scikit-image issue 3757).

    Args:
        mask: bool array; what lies outside the array is outside the mask.

    Returns:
        Bool array of the same shape; not empty unless the mask is.
    """
    faces = ndimage.generate_binary_structure(mask.ndim, 1)
    neighbours = ndimage.generate_binary_structure(mask.ndim, mask.ndim)
    result = np.zeros_like(mask)
    while mask.any():
        eroded = ndimage.binary_erosion(mask, faces)
        result |= mask & ~ndimage.binary_dilation(eroded, neighbours)
        mask = eroded
    return result


def _part_inside(mask: np.ndarray, other: np.ndarray) -> float:
    line = skeleton(mask)
    return np.count_nonzero(line & other) / np.count_nonzero(line)


def _harmonic_mean(one: float, two: float) -> float:
    return 2 * one * two / (one + two) if one + two else 0.0
