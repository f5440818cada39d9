"""Losses that sum over voxels: cross-entropy, cross-entropy weighted by an RRW map, and focal."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .base import LabelLoss, Target, at_least_float32
from .region_wise import RectifiedTarget, RegionWiseLoss


class CrossEntropyLoss(LabelLoss):
    """L = -1/(B N) sum_i log p_i, with p_i the probability of the voxel's own class."""

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Return the loss value for a prepared target."""
        return F.cross_entropy(at_least_float32(logits), prepared.labels)


class FocalLoss(LabelLoss):
    """L = -1/(B N) sum_i (1 - p_i)^gamma log p_i; not alpha-balanced (Lin et al. 2017).

    MONAI's FocalLoss averages over classes too, which makes it smaller by the factor C, and needs a one-hot target.
    """

    def __init__(self, gamma: float = 2.0) -> None:
        """Choose the exponent."""
        super().__init__()
        self.gamma = gamma

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Return the loss value for a prepared target."""
        cross_entropy = F.cross_entropy(at_least_float32(logits), prepared.labels, reduction="none")
        return ((1 - (-cross_entropy).exp()) ** self.gamma * cross_entropy).mean()


class WeightedCrossEntropyLoss(RegionWiseLoss):
    """L = -1/(B N) sum_i w_i m_i log p_i: of an RRW map, cross-entropy uses the values of the own class only.

    m_i = d̂_i, and w are the class weights: the weighted cross-entropy of Valverde & Tohka 2022.
    """

    def __init__(
        self,
        spacing: Sequence[float] | None = None,
        class_weights: Sequence[float] | None = None,
        method: str = "auto",
    ) -> None:
        """Take the arguments of `RegionWiseLoss`."""
        super().__init__("rrw", "labels", spacing, class_weights, method)

    def compute(self, logits: torch.Tensor, prepared: RectifiedTarget) -> torch.Tensor:
        """Return the loss value for a prepared target."""
        cross_entropy = F.cross_entropy(at_least_float32(logits), prepared.labels, reduction="none")
        weights = prepared.magnitude if prepared.emphasis is None else prepared.magnitude * prepared.emphasis
        return (cross_entropy * weights).mean()
