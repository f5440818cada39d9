"""Center-line Dice for vessels and other tubes (Shit et al., CVPR 2021)."""

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize

from .empty import similarity
from .masks import check_masks
from .overlap import counts


def center_line_dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Center-line Dice (clDice): 2 T_p T_s / (T_p + T_s), with T_p = |S_A ∩ B| / |S_A| and T_s = |S_B ∩ A| / |S_B|.

    S_M is the `skeleton` of M, in voxels: spacing plays no part. It measures whether the course of a tube is found, not
    its width. Skeletons are those of the authors' code (github.com/jocpae/clDice), so that values are comparable
    to published ones.

    Args:
        prediction: Bool array, 2-D or 3-D.
        reference: Bool array of the same shape.

    Returns:
        The measure in [0, 1]. Both masks empty: 1; one empty: 0.

    Raises:
        InputError: If the masks are not bool, or not 2-D or 3-D, or their shapes differ.
    """
    check_masks(prediction, reference)
    return similarity(
        counts(prediction, reference),
        lambda: _harmonic_mean(_part_inside(prediction, reference), _part_inside(reference, prediction)),
    )


def skeleton(mask: np.ndarray) -> np.ndarray:
    """Skeleton of a mask by thinning: scikit-image's ``skeletonize``, as in the authors' code of clDice.

    Thinning deletes some shapes altogether, 3-D tubes of even width among them (scikit-image issue 3757); the authors'
    metric is then 0/0. Such a mask gets its `morphological_skeleton` instead.

    Args:
        mask: Bool array, 2-D (Zhang's algorithm) or 3-D (Lee's). What lies outside the array is outside the mask.

    Returns:
        Bool array of the same shape; not empty unless the mask is.
    """
    line = skeletonize(mask).astype(bool)
    return line if line.any() else morphological_skeleton(mask)


def morphological_skeleton(mask: np.ndarray) -> np.ndarray:
    """Morphological skeleton: the union over k of E_k - dilate(E_{k+1}), with E_k the mask eroded k times.

    Erosion is by face neighbors, dilation by all neighbors: the soft skeleton of the clDice *loss* on a binary mask.

    Args:
        mask: Bool array; what lies outside the array is outside the mask.

    Returns:
        Bool array of the same shape; not empty unless the mask is.
    """
    faces = ndimage.generate_binary_structure(mask.ndim, 1)
    neighbors = ndimage.generate_binary_structure(mask.ndim, mask.ndim)
    result = np.zeros_like(mask)
    while mask.any():
        eroded = ndimage.binary_erosion(mask, faces)
        result |= mask & ~ndimage.binary_dilation(eroded, neighbors)
        mask = eroded
    return result


def _part_inside(mask: np.ndarray, other: np.ndarray) -> float:
    line = skeleton(mask)
    return np.count_nonzero(line & other) / np.count_nonzero(line)


def _harmonic_mean(one: float, two: float) -> float:
    return 2 * one * two / (one + two) if one + two else 0.0
