"""Metadata of the columns of cases.csv: title, definition, and whether higher is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A column of numbers.

    Attributes:
        title: Name in tables, with the unit.
        definition: Its definition, in one line.
        higher_is_better: None if neither direction is better or it is unknown.
        digits: Decimals in tables.
    """

    title: str
    definition: str
    higher_is_better: bool | None
    digits: int = 2


_BOUNDARY = "boundary voxels are voxels of the mask with a face neighbor outside it"

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
    "center_line_dice": Metric("clDice", "Dice of the courses of a tube, by skeletons (scikit-image)", True, 3),
    "lesions_found": Metric("Lesions found", "reference lesions that the prediction touches", None, 1),
    "lesions_missed": Metric("Lesions missed", "reference lesions that it does not touch", False, 1),
    "lesions_false": Metric("Lesions false", "predicted lesions that touch no reference lesion", False, 1),
    "lesion_sensitivity": Metric("Lesion sensitivity", "found / (found + missed)", True, 3),
    "lesion_f1": Metric("Lesion F1", "2 found / (2 found + false + missed); 1 for a flooded image", True, 3),
    "lesion_count_difference": Metric("Lesion count diff.", "predicted minus reference lesions", None, 1),
    "lesions_matched": Metric("Lesions matched", "one-to-one pairs of lesions that share a voxel", None, 1),
    "lesion_f1_matched": Metric("Lesion F1, matched", "2 matched / (predicted + reference lesions)", True, 3),
    "lesions_matched_iou50": Metric("Lesions matched, IoU 0.5", "one-to-one pairs of lesions, IoU >= 0.5", None, 1),
    "lesion_f1_iou50": Metric("Lesion F1, IoU 0.5", "the same with pairs of an IoU of at least 0.5", True, 3),
    "ece": Metric("ECE", "expected calibration error of the structure's probability, in each image", False, 4),
    "ace": Metric("ACE", "average calibration error: the mean over the bins that hold voxels, in each image", False, 3),
    "mce": Metric("MCE", "maximum calibration error: the worst of these bins, in each image", False, 3),
    "nll": Metric("NLL", "mean negative log likelihood of the structure's probability, in nats", False, 4),
    "soft_dice_confidence": Metric(
        "Soft Dice confidence", "the Dice that the probabilities expect; it needs no reference", None, 3
    ),
    "brier": Metric("Brier", "mean squared difference of probability and truth", False, 4),
    "expected_volume_ml": Metric("Expected volume (ml)", "sum of the probabilities times the voxel volume", None),
    "expected_volume_error_ml": Metric("Expected - ref. volume (ml)", "expected minus reference volume", None),
}


def metric(name: str) -> Metric:
    """Meaning of a column: surface Dice (``nsd_2mm``) by its tolerance, a column of another tool by its name only."""
    if name.startswith("nsd_"):
        tolerance = name.removeprefix("nsd_").removesuffix("mm")
        definition = f"surface Dice: part of both boundaries within {tolerance} mm of the other"
        return Metric(f"NSD {tolerance} mm", definition, True, 3)
    return METRICS.get(name) or Metric(name, "as the other tool defines it", None, 3)
