"""Margin-based label smoothing: cross-entropy that leaves logits alone while they are close enough."""

import torch
import torch.nn.functional as F

from ..errors import InputError
from .base import LabelLoss, Target, at_least_float32


class MarginCrossEntropyLoss(LabelLoss):
    """Cross-entropy, and a penalty on logits more than a margin below the largest one (MbLS).

    L = CE + weight mean_{i,c} max(0, max_k l_ik - l_ic - margin)

    Args:
        margin: distance of logits that is free, >= 0.
        weight: of the penalty, >= 0.
        soft: whether targets are soft labels, see `LabelLoss`.

    Raises:
        InputError: If a number is negative.

    Source: Liu et al. 2022; margin and weight as in its published configuration.
    """

    def __init__(self, margin: float = 10.0, weight: float = 0.1, soft: bool = False) -> None:
        super().__init__(soft)
        if not (margin >= 0 and weight >= 0):
            raise InputError(f"expected margin and weight >= 0, found {margin} and {weight}")
        self.margin, self.weight = margin, weight

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        logits = at_least_float32(logits)
        behind = logits.amax(1, keepdim=True) - logits
        return F.cross_entropy(logits, prepared.truth) + self.weight * (behind - self.margin).relu().mean()
