"""nnU-Net v2 trainers with the losses of this package; README.md beside this file says how to use them."""

from .loss import LevelLosses, level_spacings
from .names import TRAINER_FOLDER, trainer_name

__all__ = ["TRAINER_FOLDER", "LevelLosses", "level_spacings", "trainer_name"]
