"""What each column of cases.csv means: title, definition and which way is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A column of numbers.

    Attributes:
        title: its name in tables, with the unit.
        definition: one line: how it is measured.
        higher_is_better: None where neither way is better.
        digits: decimals in tables.
    """

    title: str
    definition: str
    higher_is_better: bool | None
    digits: int = 2


_BOUNDARY = "boundary voxels are voxels of the mask with a face neighbour outside it"

METRICS = {
    "dice": Metric("Dice", "2|A∩B| / (|A|+|B|) over the whole volume", True, 3),
    "hd_mm": Metric("HD (mm)", f"largest distance from a boundary voxel to the other boundary; {_BOUNDARY}", False),
    "hd95_mm": Metric("HD95 (mm)", "the larger of the two directed 95th percentiles of these distances", False),
    "assd_mm": Metric("ASSD (mm)", "mean of these distances, both directions pooled", False),
    "masd_mm": Metric("MASD (mm)", "mean of the two directed mean distances", False),
    "jaccard": Metric("Jaccard", "|A∩B| / |A∪B|", True, 3),
    "precision": Metric("Precision", "|A∩B| / |A|, A the prediction", True, 3),
    "sensitivity": Metric("Sensitivity", "|A∩B| / |B|, B the reference", True, 3),
    "volumetric_similarity": Metric("Vol. similarity", "1 - ||A|-|B|| / (|A|+|B|)", True, 3),
    "volume_ml": Metric("Volume (ml)", "volume of the prediction", None),
    "reference_volume_ml": Metric("Ref. volume (ml)", "volume of the reference", None),
    "volume_error_ml": Metric("Volume error (ml)", "prediction minus reference", None),
    "absolute_volume_error_ml": Metric("Abs. volume error (ml)", "|prediction minus reference|", False),
    "boundary_iou": Metric("Boundary IoU", "overlap of the rims of both masks, of the stated width", True, 3),
    "centre_line_dice": Metric("clDice", "Dice of the courses of a tube, by morphological skeletons", True, 3),
    "lesions_found": Metric("Lesions found", "reference lesions that the prediction touches", None, 1),
    "lesions_missed": Metric("Lesions missed", "reference lesions that it does not touch", False, 1),
    "lesions_false": Metric("Lesions false", "predicted lesions that touch no reference lesion", False, 1),
    "lesion_sensitivity": Metric("Lesion sensitivity", "found / (found + missed)", True, 3),
    "lesion_f1": Metric("Lesion F1", "2 found / (2 found + false + missed)", True, 3),
    "lesion_count_difference": Metric("Lesion count diff.", "predicted minus reference lesions", None, 1),
    "ece": Metric("ECE", "expected calibration error of the structure's probability, in each image", False, 4),
    "brier": Metric("Brier", "mean squared difference of probability and truth", False, 4),
    "expected_volume_ml": Metric("Expected volume (ml)", "sum of the probabilities times the voxel volume", None),
    "expected_volume_error_ml": Metric("Expected - ref. volume (ml)", "expected minus reference volume", None),
}


def metric(name: str) -> Metric:
    """Return what a column means; surface Dice columns (``nsd_2mm``) by their tolerance."""
    if name.startswith("nsd_"):
        tolerance = name.removeprefix("nsd_").removesuffix("mm")
        definition = f"surface Dice: part of both boundaries within {tolerance} mm of the other"
        return Metric(f"NSD {tolerance} mm", definition, True, 3)
    return METRICS[name]
