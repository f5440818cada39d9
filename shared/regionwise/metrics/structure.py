"""Standard measures of one structure, from one count of voxels and one surface-distance pass."""

from collections.abc import Sequence

import numpy as np

from . import empty, overlap, surface, volume
from .masks import check_masks


def measure_structure(
    prediction: np.ndarray,
    reference: np.ndarray,
    spacing_mm: Sequence[float],
    tolerances_mm: Sequence[float] = (1, 2),
    diagonal_mm: float | None = None,
    voxel_ml: float | None = None,
) -> dict[str, str | float]:
    """Measure a predicted mask against a reference mask.

    Args:
        prediction: Bool array, 2-D or 3-D.
        reference: Bool array of the same shape.
        spacing_mm: Voxel size along each axis, in mm.
        tolerances_mm: Tolerances of the surface Dice; each gives one column.
        diagonal_mm: Value of a distance if one mask is empty; by default the diagonal of the arrays. Give that of the
            whole image if the arrays are a crop of it.
        voxel_ml: Volume of a voxel; by default from ``spacing_mm`` (a pixel of a 2-D image counts as 1 mm thick).

    Returns:
        ``status`` (TP, FP, FN or TN) and the measures by the names of their columns, units at the end of the name.

    Raises:
        InputError: If the masks are not bool, or not 2-D or 3-D, or their shapes differ.
    """
    check_masks(prediction, reference)
    if diagonal_mm is None:
        diagonal_mm = empty.image_diagonal_mm(prediction.shape, spacing_mm)
    if voxel_ml is None:
        voxel_ml = volume.volume_ml(1, spacing_mm)
    voxels = overlap.counts(prediction, reference)
    box = bounding_box(prediction | reference)
    surfaces = surface.surface_distances(prediction[box], reference[box], spacing_mm)
    volume_ml, reference_ml = voxels.prediction * voxel_ml, voxels.reference * voxel_ml
    return {
        "status": empty.status(voxels),
        "dice": overlap.dice(voxels),
        "hd_mm": surface.hausdorff_mm(surfaces, diagonal_mm),
        "hd95_mm": surface.hausdorff_mm(surfaces, diagonal_mm, percentile=95),
        "assd_mm": surface.assd_mm(surfaces, diagonal_mm),
        **{surface_dice_name(one): surface.surface_dice(surfaces, one) for one in tolerances_mm},
        "masd_mm": surface.masd_mm(surfaces, diagonal_mm),
        "jaccard": overlap.jaccard(voxels),
        "precision": overlap.precision(voxels),
        "sensitivity": overlap.sensitivity(voxels),
        "volumetric_similarity": overlap.volumetric_similarity(voxels),
        "volume_ml": volume_ml,
        "reference_volume_ml": reference_ml,
        "volume_error_ml": volume_ml - reference_ml,
        "absolute_volume_error_ml": abs(volume_ml - reference_ml),
    }


def surface_dice_name(tolerance_mm: float) -> str:
    """Column name of a surface Dice: ``nsd_1mm``, ``nsd_0.5mm``."""
    return f"nsd_{tolerance_mm:g}mm"


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Smallest box that holds every voxel of a mask; an empty box for an empty mask."""
    box = []
    for axis in range(mask.ndim):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1) if len(hit) else slice(0, 0))
    return tuple(box)
