"""Surface distances in mm: one pass over the boundary voxels gives HD, HD95, ASSD, MASD and NSD.

A boundary voxel is a voxel of the mask with a face neighbor outside the mask. What lies outside the array is outside
the mask, so a mask that touches the border of the array has boundary voxels there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .empty import distance, similarity
from .masks import check_masks
from .nearest import nearest_mm


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances between the boundary voxels of a prediction A and a reference B.

    Attributes:
        to_reference_mm: Distance of each boundary voxel of A to the nearest boundary voxel of B; empty if B is.
        to_prediction_mm: The same from B to A.
        prediction: Number of boundary voxels of A.
        reference: Number of boundary voxels of B.
    """

    to_reference_mm: np.ndarray
    to_prediction_mm: np.ndarray
    prediction: int
    reference: int


def boundary(mask: np.ndarray) -> np.ndarray:
    """Boundary voxels of a mask.

    Args:
        mask: Bool array of any dimension.

    Returns:
        Bool array of the same shape: voxels of the mask with a face neighbor outside it (or outside the array).
    """
    inside = mask.copy()
    for axis in range(mask.ndim):
        ahead, behind = np.moveaxis(inside, axis, 0), np.moveaxis(mask, axis, 0)
        ahead[1:] &= behind[:-1]
        ahead[:-1] &= behind[1:]
        ahead[:1] = False
        ahead[-1:] = False
    return mask ^ inside


def surface_distances(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> SurfaceDistances:
    """Distances between the boundaries of two masks, in both directions.

    Only the masks matter, not the array around them: cropping both to their common bounding box gives the same.

    Args:
        prediction: Bool array, 2-D or 3-D.
        reference: Bool array of the same shape.
        spacing_mm: Voxel size along each axis, in mm.

    Returns:
        The distance lists; both are empty where one mask is. They are exact; in float32 (relative error 1e-7) where a
        search would take too long, as for masks that are mostly boundary.

    Raises:
        InputError: If the masks are not bool, or not 2-D or 3-D, or their shapes differ.
    """
    check_masks(prediction, reference)
    # Files are in Fortran order: walking through memory from one end to the other takes a fraction of the time.
    order = sorted(range(prediction.ndim), key=lambda axis: -prediction.strides[axis])
    edges = boundary(prediction.transpose(order)), boundary(reference.transpose(order))
    voxels, reference_voxels = (int(np.count_nonzero(edge)) for edge in edges)
    if not (voxels and reference_voxels):
        return SurfaceDistances(np.empty(0), np.empty(0), voxels, reference_voxels)
    spacing = np.asarray(spacing_mm, dtype=np.float64)[order]
    there, back = (nearest_mm(own, other, spacing) for own, other in (edges, edges[::-1]))
    return SurfaceDistances(there, back, voxels, reference_voxels)


def hausdorff_mm(surfaces: SurfaceDistances, diagonal_mm: float, percentile: float = 100) -> float:
    """Hausdorff distance in mm: max(P_q(d(A, B)), P_q(d(B, A))) (Valverde & Tohka 2022, equation 7, with q = 100).

    The percentile is taken in each direction and the larger one counts (as in MONAI and MetricsReloaded; MedPy pools
    the two lists, DeepMind's surface-distance weighs them by area), with linear interpolation between ranks.

    Args:
        surfaces: From `surface_distances`.
        diagonal_mm: Value where one mask is empty, see `image_diagonal_mm`.
        percentile: q; 100 for the maximum, 95 for HD95.

    Returns:
        Distance in mm. Both masks empty: 0; one empty: ``diagonal_mm``.

    Examples:
        >>> import numpy as np
        >>> prediction, reference = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
        >>> prediction[2, 2] = True
        >>> reference[3, 2] = True
        >>> hausdorff_mm(surface_distances(prediction, reference, spacing_mm=(2, 1)), diagonal_mm=22.4)
        2.0
    """
    lists = surfaces.to_reference_mm, surfaces.to_prediction_mm
    return distance(surfaces, lambda: max(_percentile(one, percentile) for one in lists), diagonal_mm)


def assd_mm(surfaces: SurfaceDistances, diagonal_mm: float) -> float:
    """Average symmetric surface distance in mm: the mean over both lists pooled. Empty masks as in `hausdorff_mm`."""
    total = surfaces.prediction + surfaces.reference
    return distance(
        surfaces,
        lambda: sum(one.sum(dtype=np.float64) for one in (surfaces.to_reference_mm, surfaces.to_prediction_mm)) / total,
        diagonal_mm,
    )


def masd_mm(surfaces: SurfaceDistances, diagonal_mm: float) -> float:
    """Mean average surface distance in mm: the mean of the two directed means. Empty masks as in `hausdorff_mm`.

    Unlike ASSD it gives both directions the same weight, however long the boundaries are.
    """
    return distance(
        surfaces,
        lambda: sum(one.mean(dtype=np.float64) for one in (surfaces.to_reference_mm, surfaces.to_prediction_mm)) / 2,
        diagonal_mm,
    )


def surface_dice(surfaces: SurfaceDistances, tolerance_mm: float) -> float:
    """Surface Dice (NSD): the fraction of both boundaries that lies within a tolerance of the other, in [0, 1].

    (|{a: d(a, B) <= t}| + |{b: d(b, A) <= t}|) / (|∂A| + |∂B|), counting voxels (as MONAI does without sub-voxels).

    Args:
        surfaces: From `surface_distances`.
        tolerance_mm: t >= 0; a distance of exactly t is within.

    Returns:
        The fraction. Both masks empty: 1; one empty: 0.

    Examples:
        >>> import numpy as np
        >>> prediction, reference = np.zeros((1, 9), bool), np.zeros((1, 9), bool)
        >>> prediction[0, 0] = True
        >>> reference[0, [0, 3]] = True  # 0 and 3 mm from the prediction
        >>> surfaces = surface_distances(prediction, reference, spacing_mm=(1, 1))
        >>> [round(surface_dice(surfaces, tolerance), 3) for tolerance in (1, 3)]
        [0.667, 1.0]
    """
    lists = surfaces.to_reference_mm, surfaces.to_prediction_mm
    # The tolerance is widened by rounding only: 3 * 0.1 mm is within 0.3 mm, in float32, too.
    within = sum(np.count_nonzero(one <= one.dtype.type(tolerance_mm * (1 + 4e-7))) for one in lists)
    return similarity(surfaces, lambda: within / (surfaces.prediction + surfaces.reference))


def _percentile(distances_mm: np.ndarray, percentile: float) -> float:
    return distances_mm.max() if percentile == 100 else np.percentile(distances_mm, percentile)
