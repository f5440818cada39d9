"""Metrics of a segmentation against a reference: pure functions over masks, in mm and ml."""

from .boundary_iou import boundary_iou
from .calibration import (
    ReliabilityBins,
    brier_score,
    expected_calibration_error,
    expected_volume_ml,
    reliability_bins,
)
from .center_line import center_line_dice, skeleton
from .detection import detection_counts
from .empty import POLICY, image_diagonal_mm, status
from .lesions import (
    OVERLAP_RULE,
    LesionCounts,
    count_lesions,
    lesion_count_difference,
    lesion_f1,
    lesion_f1_iou50,
    lesion_f1_matched,
    lesion_sensitivity,
)
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
from .volume import volume_ml

__all__ = [
    "OVERLAP_RULE",
    "POLICY",
    "Counts",
    "LesionCounts",
    "ReliabilityBins",
    "SurfaceDistances",
    "assd_mm",
    "boundary",
    "boundary_iou",
    "bounding_box",
    "brier_score",
    "center_line_dice",
    "count_lesions",
    "counts",
    "detection_counts",
    "dice",
    "expected_calibration_error",
    "expected_volume_ml",
    "hausdorff_mm",
    "image_diagonal_mm",
    "jaccard",
    "lesion_count_difference",
    "lesion_f1",
    "lesion_f1_iou50",
    "lesion_f1_matched",
    "lesion_sensitivity",
    "masd_mm",
    "measure_structure",
    "precision",
    "reliability_bins",
    "sensitivity",
    "skeleton",
    "status",
    "surface_dice",
    "surface_dice_name",
    "surface_distances",
    "volume_ml",
    "volumetric_similarity",
]
