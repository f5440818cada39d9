"""Boundary IoU: overlap of the rims of two masks (Cheng et al., CVPR 2021)."""

from collections.abc import Sequence

import edt
import numpy as np

from .empty import similarity
from .masks import check_masks
from .overlap import counts


def boundary_iou(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float], width_mm: float) -> float:
    """Boundary IoU: |A_d ∩ B_d| / |A_d ∪ B_d|, where M_d are the voxels of M at most d from a voxel outside M.

    Unlike IoU it does not grow with the size of the structure. The distance is between voxel centers, in mm, and what
    lies outside the array is outside the mask. Cheng et al. erode in pixels, by 2 % of the image diagonal, and
    MetricsReloaded measures in voxels, from the border voxels: their values differ, most with thick slices.

    Args:
        prediction: Bool array, 2-D or 3-D.
        reference: Bool array of the same shape.
        spacing_mm: Voxel size along each axis, in mm.
        width_mm: d; at least the smallest voxel size, or no voxel is in the rim.

    Returns:
        The overlap in [0, 1]. Both masks empty: 1; one empty: 0; both rims empty (d too small): 0.

    Raises:
        InputError: If the masks are not bool, or not 2-D or 3-D, or their shapes differ.
    """
    check_masks(prediction, reference)
    rims = [_rim(mask, spacing_mm, width_mm) for mask in (prediction, reference)]
    union = np.count_nonzero(rims[0] | rims[1])
    return similarity(
        counts(prediction, reference), lambda: np.count_nonzero(rims[0] & rims[1]) / union if union else 0.0
    )


def _rim(mask: np.ndarray, spacing_mm: Sequence[float], width_mm: float) -> np.ndarray:
    if not mask.any():
        return mask
    # uint8, because edt takes a slow path for bool.
    depth_mm = edt.edt(np.ascontiguousarray(mask, dtype=np.uint8), anisotropy=tuple(spacing_mm), black_border=True)
    return mask & (depth_mm <= width_mm * (1 + 1e-6))
