"""Measures of a segmentation against a reference: pure functions over masks, in mm and ml."""

from .empty import POLICY, image_diagonal_mm, status
from .overlap import Counts, counts, dice, jaccard, precision, sensitivity, volumetric_similarity
from .structure import bounding_box, measure_structure, surface_dice_name
from .surface import (
    SurfaceDistances,
    assd_mm,
    boundary,
    hausdorff_mm,
    masd_mm,
    surface_dice,
    surface_distances,
)
from .volume import absolute_volume_error_ml, volume_error_ml, volume_ml

__all__ = [
    "POLICY",
    "Counts",
    "SurfaceDistances",
    "absolute_volume_error_ml",
    "assd_mm",
    "boundary",
    "bounding_box",
    "counts",
    "dice",
    "hausdorff_mm",
    "image_diagonal_mm",
    "jaccard",
    "masd_mm",
    "measure_structure",
    "precision",
    "sensitivity",
    "status",
    "surface_dice",
    "surface_dice_name",
    "surface_distances",
    "volume_error_ml",
    "volume_ml",
    "volumetric_similarity",
]
