"""Losses that change during a training: scheduled sums of two losses, and the handler that drives every schedule."""

from typing import Any

import torch
from ignite.engine import Engine, Events

from ..errors import InputError, did_you_mean
from .base import LabelLoss
from .generalized import GeneralizedRectifiedLoss

SCHEDULES = ("equal", "gradual")


def schedule_weights(schedule: str, epoch: int) -> tuple[float, float]:
    """Weights of the other loss and of the region-wise loss in an epoch.

    equal: (1, 1). gradual: (a, 1 - a) with a = max((100 - epoch) / 100, 0.01).

    Args:
        schedule: "equal" or "gradual".
        epoch: the number of finished epochs, 0 in the first one.

    Raises:
        InputError: If there is no such schedule.

    Source: Valverde & Tohka 2022; the gradual one after Kervadec et al. 2019.
    """
    if schedule not in SCHEDULES:
        raise InputError(f"Unknown schedule '{schedule}'; {did_you_mean(schedule, SCHEDULES)}")
    if schedule == "equal":
        return 1.0, 1.0
    other = max((100 - epoch) / 100, 0.01)
    return other, 1 - other


class ScheduledLoss(LabelLoss):
    """Weighted sum of two losses, a other + b region_wise, with a and b from `schedule_weights`.

    Args:
        other: the loss with weight a.
        region_wise: the loss with weight b.
        schedule: "equal" or "gradual".

    Attributes:
        epoch: the number of finished epochs; `LossSchedule` sets it. It is no part of the state: the trainer knows it.
    """

    def __init__(self, other: LabelLoss, region_wise: LabelLoss, schedule: str) -> None:
        if other.soft != region_wise.soft:
            raise InputError("expected losses with one kind of target, got one with soft labels and one without")
        super().__init__(other.soft)
        schedule_weights(schedule, 0)
        self.other, self.region_wise, self.schedule, self.epoch = other, region_wise, schedule, 0

    def prepare(self, logits: torch.Tensor, target: torch.Tensor) -> tuple[Any, Any]:
        """Prepare the target for both losses."""
        return self.other.prepare(logits, target), self.region_wise.prepare(logits, target)

    def compute(self, logits: torch.Tensor, prepared: tuple[Any, Any]) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        a, b = schedule_weights(self.schedule, self.epoch)
        return a * self.other.compute(logits, prepared[0]) + b * self.region_wise.compute(logits, prepared[1])


class LossSchedule:
    """Ignite handler: before each iteration, tell the losses with a schedule how far the run is.

    Epoch and iteration are the trainer's own, so that a resumed training goes on where it stopped, to the last bit. A
    loss without a schedule is left alone.

    Args:
        loss: the trainer's loss; losses with a schedule are found at any depth.
    """

    def __init__(self, loss: torch.nn.Module) -> None:
        self.loss = loss

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.ITERATION_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Set epoch and fraction: ignite counts the running epoch and iteration from 1."""
        state = engine.state
        set_progress(self.loss, state.epoch - 1, (state.iteration - 1) / (state.max_epochs * state.epoch_length))


def set_progress(loss: torch.nn.Module, epoch: int, fraction: float) -> None:
    """Tell every loss with a schedule how far a run is, at any depth of a loss.

    Args:
        loss: any loss; inside it, `ScheduledLoss` follows the epoch and `GeneralizedRectifiedLoss` the fraction.
        epoch: the number of finished epochs.
        fraction: share of all iterations of the run that are finished, from 0 to 1.
    """
    for module in loss.modules():
        if isinstance(module, ScheduledLoss):
            module.epoch = epoch
        elif isinstance(module, GeneralizedRectifiedLoss):
            module.fraction = fraction
