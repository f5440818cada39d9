"""Region-wise losses, the losses they are compared with, and what trains with them."""

from .base import LabelLoss
from .by_name import LOSS_NAMES, make_loss
from .deep_supervision import DeepSupervisionLoss
from .dice import DiceCELoss, DiceLoss
from .generalized import ANNEALING, GeneralizedRectifiedLoss
from .pixelwise import CrossEntropyLoss, FocalLoss, WeightedCrossEntropyLoss
from .region_wise import RegionWiseLoss
from .schedules import LossSchedule, ScheduledLoss, schedule_weights, set_progress

__all__ = [
    "ANNEALING",
    "LOSS_NAMES",
    "CrossEntropyLoss",
    "DeepSupervisionLoss",
    "DiceCELoss",
    "DiceLoss",
    "FocalLoss",
    "GeneralizedRectifiedLoss",
    "LabelLoss",
    "LossSchedule",
    "RegionWiseLoss",
    "ScheduledLoss",
    "WeightedCrossEntropyLoss",
    "make_loss",
    "schedule_weights",
    "set_progress",
]
