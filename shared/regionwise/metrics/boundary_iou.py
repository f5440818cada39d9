"""Boundary IoU: overlap of the rims of two masks (Cheng et al., CVPR 2021)."""

from collections.abc import Sequence

import edt
import numpy as np

from .empty import similarity
from .overlap import Counts


def boundary_iou(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float], width_mm: float) -> float:
    """Boundary IoU |A_d ∩ B_d| / |A_d ∪ B_d|, where M_d are the voxels of M at most d from a voxel outside M.

    Unlike IoU it does not grow with the size of the structure. The distance is between voxel centres, in mm, and what
    lies outside the array is outside the mask; Cheng et al. erode in pixels by 2 % of the image diagonal instead.

    Args:
        prediction: bool array, 2-D or 3-D.
        reference: bool array of the same shape.
        spacing_mm: voxel size along each axis.
        width_mm: d; at least the smallest voxel size, or no voxel is in the rim.

    Returns:
        The overlap in [0, 1]; both masks empty: 1, one empty: 0, both rims empty (d too small): 0.
    """
    rims = [_rim(mask, spacing_mm, width_mm) for mask in (prediction, reference)]
    union = np.count_nonzero(rims[0] | rims[1])
    sizes = Counts(np.count_nonzero(prediction), np.count_nonzero(reference), 0)
    return similarity(sizes, lambda: np.count_nonzero(rims[0] & rims[1]) / union if union else 0.0)


def _rim(mask: np.ndarray, spacing_mm: Sequence[float], width_mm: float) -> np.ndarray:
    if not mask.any():
        return mask
    # uint8, because edt takes a slow path for bool.
    depth_mm = edt.edt(np.ascontiguousarray(mask, dtype=np.uint8), anisotropy=tuple(spacing_mm), black_border=True)
    return mask & (depth_mm <= width_mm * (1 + 1e-6))
