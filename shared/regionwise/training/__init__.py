"""Components of the training configs: augmentation, handlers, checkpoints."""

from ..weights import load_weights
from .augmentation import nnunet_augmentation
from .averaging import AveragedWeights, WeightAveraging
from .checkpoints import Checkpoints
from .collapse import CollapseGuard, CollapseState
from .compiling import can_compile
from .handlers import EarlyStopping, FiniteLoss, GradientClipping, RunRecord, TimeBudget, ValidationHandler
from .network import count_supervised, encoder_strides, level_strides
from .progress import CaseProgress, Progress, train_loss

__all__ = [
    "AveragedWeights",
    "CaseProgress",
    "Checkpoints",
    "CollapseGuard",
    "CollapseState",
    "EarlyStopping",
    "FiniteLoss",
    "GradientClipping",
    "Progress",
    "RunRecord",
    "TimeBudget",
    "ValidationHandler",
    "WeightAveraging",
    "can_compile",
    "count_supervised",
    "encoder_strides",
    "level_strides",
    "load_weights",
    "nnunet_augmentation",
    "train_loss",
]
