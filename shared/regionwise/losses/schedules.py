"""Sums of a region-wise loss and another, weighted by the epoch."""

from typing import Any

import torch
from ignite.engine import Engine, Events

from ..errors import InputError, did_you_mean
from .base import LabelLoss

SCHEDULES = ("equal", "gradual")


def schedule_weights(schedule: str, epoch: int) -> tuple[float, float]:
    """Return the weights of the other loss and of the region-wise loss.

    equal: (1, 1). gradual: (a, 1 - a) with a = max((100 - epoch) / 100, 0.01).

    Args:
        schedule: "equal" or "gradual".
        epoch: the number of finished epochs, 0 in the first one.

    Raises:
        InputError: there is no such schedule.

    Source: Valverde & Tohka 2022; the gradual one after Kervadec et al. 2019.
    """
    if schedule not in SCHEDULES:
        raise InputError(f"there is no schedule '{schedule}'; {did_you_mean(schedule, SCHEDULES)}")
    if schedule == "equal":
        return 1.0, 1.0
    other = max((100 - epoch) / 100, 0.01)
    return other, 1 - other


class ScheduledLoss(LabelLoss):
    """L = a other + b region_wise, with a and b from `schedule_weights`.

    Attributes:
        epoch: the number of finished epochs; `LossSchedule` sets it. It is no part of the state: the trainer knows it.
    """

    def __init__(self, other: LabelLoss, region_wise: LabelLoss, schedule: str) -> None:
        """Combine two losses; schedule is "equal" or "gradual"."""
        super().__init__()
        schedule_weights(schedule, 0)
        self.other, self.region_wise, self.schedule, self.epoch = other, region_wise, schedule, 0

    def prepare(self, logits: torch.Tensor, target: torch.Tensor) -> tuple[Any, Any]:
        """Return what both losses prepare."""
        return self.other.prepare(logits, target), self.region_wise.prepare(logits, target)

    def compute(self, logits: torch.Tensor, prepared: tuple[Any, Any]) -> torch.Tensor:
        """Return the loss value for a prepared target."""
        a, b = schedule_weights(self.schedule, self.epoch)
        return a * self.other.compute(logits, prepared[0]) + b * self.region_wise.compute(logits, prepared[1])


class LossSchedule:
    """Ignite handler: at the start of each epoch, tell every `ScheduledLoss` inside a loss which epoch it is.

    The epoch is the trainer's own, so that a resumed training goes on where it stopped. A loss without a schedule is
    left alone.
    """

    def __init__(self, loss: torch.nn.Module) -> None:
        """Take the trainer's loss; scheduled losses are found at any depth."""
        self.losses = [module for module in loss.modules() if isinstance(module, ScheduledLoss)]

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Set the epoch: ignite counts the running one from 1."""
        for loss in self.losses:
            loss.epoch = engine.state.epoch - 1
