"""Losses that sum over voxels: cross-entropy, cross-entropy weighted by an RRW map, and focal."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .base import LabelLoss, Target, at_least_float32
from .region_wise import RectifiedTarget, RegionWiseLoss


class CrossEntropyLoss(LabelLoss):
    """Cross-entropy: L = -1/(B N) sum_i log p_i, with p_i the probability of the voxel's true class."""

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        return F.cross_entropy(at_least_float32(logits), prepared.labels)


class FocalLoss(LabelLoss):
    """Focal loss without class balancing: L = -1/(B N) sum_i (1 - p_i)^gamma log p_i.

    MONAI's FocalLoss averages over classes too, which makes it smaller by the factor C, and needs a one-hot target.

    Args:
        gamma: exponent, at least 0; 0 is cross-entropy.

    Source: Lin et al. 2017.
    """

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        cross_entropy = F.cross_entropy(at_least_float32(logits), prepared.labels, reduction="none")
        return ((1 - (-cross_entropy).exp()) ** self.gamma * cross_entropy).mean()


class WeightedCrossEntropyLoss(RegionWiseLoss):
    """Cross-entropy weighted by the RRW map's value at the true class: L = -1/(B N) sum_i w_i d̂_i log p_i.

    Args:
        spacing: as in `RegionWiseLoss`.
        class_weights: w, as in `RegionWiseLoss`.
        backend: as in `RegionWiseLoss`.

    Source: the weighted cross-entropy of Valverde & Tohka 2022.
    """

    def __init__(
        self,
        spacing: Sequence[float] | None = None,
        class_weights: Sequence[float] | None = None,
        backend: str = "auto",
    ) -> None:
        super().__init__("rrw", "labels", spacing, class_weights, backend)

    # Narrower than its base: `prepare` makes no map here.
    def compute(self, logits: torch.Tensor, prepared: RectifiedTarget) -> torch.Tensor:  # type: ignore[override]
        """Compute the loss for a prepared target."""
        cross_entropy = F.cross_entropy(at_least_float32(logits), prepared.labels, reduction="none")
        weights = prepared.magnitude if prepared.voxel_weights is None else prepared.magnitude * prepared.voxel_weights
        return (cross_entropy * weights).mean()
