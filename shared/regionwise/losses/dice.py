"""Dice losses: MONAI's, with the settings that make them the reference definitions."""

import torch
from monai.losses import DiceLoss as MonaiDiceLoss

from .base import LabelLoss, Target, at_least_float32
from .pixelwise import CrossEntropyLoss


class DiceLoss(LabelLoss):
    """Soft Dice loss over all classes, background included.

    L = 1 - mean over images and classes of 2 sum_i p_ic t_ic / (sum_i (p_ic + t_ic) + 1e-6), with t the one-hot form of
    the labels. A class absent from an image has term 0, whatever is predicted: loss 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dice = MonaiDiceLoss(to_onehot_y=True, softmax=True, smooth_nr=0.0, smooth_dr=1e-6)

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        return self.dice(at_least_float32(logits), prepared.labels[:, None])


class DiceCELoss(DiceLoss):
    """Sum of `DiceLoss` and `CrossEntropyLoss`."""

    def __init__(self) -> None:
        super().__init__()
        self.cross_entropy = CrossEntropyLoss()

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        return super().compute(logits, prepared) + self.cross_entropy.compute(logits, prepared)
