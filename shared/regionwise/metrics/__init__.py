"""Metrics of a segmentation against a reference: pure functions over masks, in mm and ml."""

from .boundary_iou import boundary_iou
from .calibration import (
    ReliabilityBins,
    average_calibration_error,
    average_calibration_error_by_chance,
    brier_score,
    confidence_of_sums,
    expected_calibration_error,
    expected_volume_ml,
    maximum_calibration_error,
    negative_log_likelihood,
    reliability_bins,
    soft_dice_confidence,
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
    "average_calibration_error",
    "average_calibration_error_by_chance",
    "boundary",
    "boundary_iou",
    "bounding_box",
    "brier_score",
    "center_line_dice",
    "confidence_of_sums",
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
    "maximum_calibration_error",
    "measure_structure",
    "negative_log_likelihood",
    "precision",
    "reliability_bins",
    "sensitivity",
    "skeleton",
    "soft_dice_confidence",
    "status",
    "surface_dice",
    "surface_dice_name",
    "surface_distances",
    "volume_ml",
    "volumetric_similarity",
]
