"""Losses that sum over voxels: cross-entropy, cross-entropy weighted by an RRW map, and focal."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .base import LabelLoss, Target, at_least_float32
from .region_wise import RectifiedTarget, RegionWiseLoss, SoftRectifiedTarget


class CrossEntropyLoss(LabelLoss):
    """Cross-entropy: L = -1/(B N) sum_i log p_i, with p_i the probability of the voxel's true class.

    Of soft labels y, -1/(B N) sum_i sum_c y_ic log p_ic.
    """

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        return F.cross_entropy(at_least_float32(logits), prepared.truth)


class FocalLoss(LabelLoss):
    """Focal loss without class balancing: L = -1/(B N) sum_i (1 - p_i)^gamma log p_i.

    MONAI's FocalLoss averages over classes too, which makes it smaller by the factor C, and needs a one-hot target. Of
    soft labels y, -1/(B N) sum_i sum_c y_ic (1 - p_ic)^gamma log p_ic.

    Args:
        gamma: exponent, at least 0; 0 is cross-entropy.
        soft: whether targets are soft labels, see `LabelLoss`.

    Source: Lin et al. 2017.
    """

    def __init__(self, gamma: float = 2.0, soft: bool = False) -> None:
        super().__init__(soft)
        self.gamma = gamma

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        if prepared.soft:
            log_p = torch.log_softmax(at_least_float32(logits), 1)
            return -(prepared.truth * (1 - log_p.exp()) ** self.gamma * log_p).sum(1).mean()
        cross_entropy = F.cross_entropy(at_least_float32(logits), prepared.truth, reduction="none")
        return ((1 - (-cross_entropy).exp()) ** self.gamma * cross_entropy).mean()


class WeightedCrossEntropyLoss(RegionWiseLoss):
    """Cross-entropy weighted by the RRW map's value at the true class: L = -1/(B N) sum_i w_i d̂_i log p_i.

    Of soft labels y, -1/(B N) sum_i d̂_i sum_c y_ic w_c log p_ic, with d̂ that of the most probable classes.

    Args:
        spacing: as in `RegionWiseLoss`.
        class_weights: w, as in `RegionWiseLoss`.
        backend: as in `RegionWiseLoss`.
        soft: as in `RegionWiseLoss`.

    Source: the weighted cross-entropy of Valverde & Tohka 2022.
    """

    def __init__(
        self,
        spacing: Sequence[float] | None = None,
        class_weights: Sequence[float] | None = None,
        backend: str = "auto",
        soft: bool = False,
    ) -> None:
        super().__init__("rrw", "labels", spacing, class_weights, backend, soft)

    # Narrower than its base: `prepare` makes no map here.
    def compute(  # type: ignore[override]
        self, logits: torch.Tensor, prepared: RectifiedTarget | SoftRectifiedTarget
    ) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        if isinstance(prepared, SoftRectifiedTarget):
            log_p = torch.log_softmax(at_least_float32(logits), 1)
            return -((prepared.truth * log_p).sum(1) * prepared.magnitude).mean()
        cross_entropy = F.cross_entropy(at_least_float32(logits), prepared.labels, reduction="none")
        weights = prepared.magnitude if prepared.voxel_weights is None else prepared.magnitude * prepared.voxel_weights
        return (cross_entropy * weights).mean()
