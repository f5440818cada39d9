"""Weighted sum of losses."""

from collections.abc import Sequence
from typing import Any, cast

import torch

from ..errors import InputError
from .base import LabelLoss


class SummedLoss(LabelLoss):
    """Weighted sum of losses with one target: L = sum_k w_k L_k.

    Args:
        losses: L_k, all with hard or all with soft labels.
        weights: w_k, one number per loss.

    Raises:
        InputError: If there is not one weight per loss, or the losses expect different targets.
    """

    def __init__(self, losses: Sequence[LabelLoss], weights: Sequence[float]) -> None:
        super().__init__(any(loss.soft for loss in losses))
        if len(weights) != len(losses) or not losses:
            raise InputError(f"expected one weight per loss, got {len(weights)} for {len(losses)}")
        if not all(loss.soft == self.soft for loss in losses):
            raise InputError("expected losses with one kind of target, got some with soft labels and some without")
        self.losses, self.weights = torch.nn.ModuleList(losses), tuple(weights)

    def _terms(self) -> list[LabelLoss]:
        return cast(list[LabelLoss], list(self.losses))

    def prepare(self, logits: torch.Tensor, target: torch.Tensor) -> tuple[Any, ...]:
        """Prepare the target for each loss."""
        return tuple(loss.prepare(logits, target) for loss in self._terms())

    def compute(self, logits: torch.Tensor, prepared: tuple[Any, ...]) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        terms = zip(self._terms(), self.weights, prepared, strict=True)
        return torch.stack([weight * loss.compute(logits, target) for loss, weight, target in terms]).sum()
