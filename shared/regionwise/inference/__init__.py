"""Inference: sliding windows and slices, ensembles, test-time augmentation, reading scans, writing labels."""

from .decoding import dice_optimal_labels, dice_thresholds, expected_dice
from .inferers import ProbabilityEnsemble, StreamingSliceInferer, ToLabelsd, VolumeInferer, load_ensemble, make_inferer
from .save import SaveLabelsd, SaveProbabilitiesd, save_labels
from .scans import check_scans, scans

__all__ = [
    "ProbabilityEnsemble",
    "SaveLabelsd",
    "SaveProbabilitiesd",
    "StreamingSliceInferer",
    "ToLabelsd",
    "VolumeInferer",
    "check_scans",
    "dice_optimal_labels",
    "dice_thresholds",
    "expected_dice",
    "load_ensemble",
    "make_inferer",
    "save_labels",
    "scans",
]
