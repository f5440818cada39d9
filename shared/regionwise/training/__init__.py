"""Components of the training configs: augmentation, handlers, checkpoints."""

from ..weights import load_weights
from .augmentation import choose_place, make_augmentation, nnunet_augmentation
from .averaging import AveragedWeights, WeightAveraging
from .batch_augmentation import augment_batch_, prepare_batch
from .checkpoints import Checkpoints
from .collapse import CollapseGuard, CollapseState
from .compiling import can_compile
from .handlers import EarlyStopping, FiniteLoss, GradientClipping, RunRecord, TimeBudget, ValidationHandler
from .mean_dice import mean_dice
from .network import count_supervised, encoder_strides, level_strides
from .progress import CaseProgress, Progress, train_loss
from .upsampling import even_upsampling

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
    "augment_batch_",
    "can_compile",
    "choose_place",
    "count_supervised",
    "encoder_strides",
    "even_upsampling",
    "level_strides",
    "load_weights",
    "make_augmentation",
    "mean_dice",
    "nnunet_augmentation",
    "prepare_batch",
    "train_loss",
]
