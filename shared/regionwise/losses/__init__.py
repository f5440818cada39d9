"""Region-wise losses, the losses they are compared with, and what trains with them."""

from .base import LabelLoss
from .by_name import LOSS_NAMES, make_loss
from .calibration_error import CalibrationErrorLoss
from .deep_supervision import DeepSupervisionLoss
from .dice import DiceCELoss, DiceLoss
from .generalized import ANNEALING, GeneralizedRectifiedLoss
from .lovasz import LovaszLoss
from .margin import MarginCrossEntropyLoss
from .overlap import PRESETS, REDUCTIONS
from .pixelwise import CrossEntropyLoss, FocalLoss, WeightedCrossEntropyLoss
from .region_wise import RegionWiseLoss
from .schedules import LossSchedule, ScheduledLoss, schedule_weights, set_progress
from .semimetric import DiceSemimetricLoss, JaccardMetricLoss
from .summed import SummedLoss
from .wing import AdaptiveWingLoss

__all__ = [
    "ANNEALING",
    "LOSS_NAMES",
    "PRESETS",
    "REDUCTIONS",
    "AdaptiveWingLoss",
    "CalibrationErrorLoss",
    "CrossEntropyLoss",
    "DeepSupervisionLoss",
    "DiceCELoss",
    "DiceLoss",
    "DiceSemimetricLoss",
    "FocalLoss",
    "GeneralizedRectifiedLoss",
    "JaccardMetricLoss",
    "LabelLoss",
    "LossSchedule",
    "LovaszLoss",
    "MarginCrossEntropyLoss",
    "RegionWiseLoss",
    "ScheduledLoss",
    "SummedLoss",
    "WeightedCrossEntropyLoss",
    "make_loss",
    "schedule_weights",
    "set_progress",
]
