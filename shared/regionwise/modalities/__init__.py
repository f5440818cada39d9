"""Missing modalities: training that drops them, networks that know which are there, inference with those that exist."""

from .dropout import DropModalitiesd, with_dropout
from .load import LoadModalitiesd, find_modalities, scans
from .networks import HemisDynUNet, PresenceDynUNet
from .subsets import evaluate_subsets

__all__ = [
    "DropModalitiesd",
    "HemisDynUNet",
    "LoadModalitiesd",
    "PresenceDynUNet",
    "evaluate_subsets",
    "find_modalities",
    "scans",
    "with_dropout",
]
