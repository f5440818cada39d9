"""Uncertainty of a segmentation: entropies, agreement of members, failure detection, calibration, margins."""

from .agreement import label_overlaps, pairwise_dice, soft_dice_confidence, volume_interval
from .entropy import expected_entropy, mutual_information, predictive_entropy
from .margins import conformal_margin_mm, depths_of_invented_mm, distances_of_missed_mm, needed_margin_mm, risk_at_mm
from .ranking import augrc, aurc, cases_to_review, trust_threshold

__all__ = [
    "augrc",
    "aurc",
    "cases_to_review",
    "conformal_margin_mm",
    "depths_of_invented_mm",
    "distances_of_missed_mm",
    "expected_entropy",
    "label_overlaps",
    "mutual_information",
    "needed_margin_mm",
    "pairwise_dice",
    "predictive_entropy",
    "risk_at_mm",
    "soft_dice_confidence",
    "trust_threshold",
    "volume_interval",
]
