"""Exponential moving average of a network's weights, for validation and inference."""

from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ..errors import InputError

Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]


class AveragedWeights:
    """Exponential moving average of a network's weights over the iterations.

    a_0 = w_0 after the first iteration, then a_t = d_t a_{t-1} + (1 - d_t) w_t with
    d_t = min(decay, (1 + t) / (10 + t)): early in a run the average
    forgets the random start instead of carrying it along. Weights are averaged, buffers copied. The average is
    PyTorch's `AveragedModel`; in several processes each keeps the same one.

    Args:
        network: the network that is trained, possibly wrapped in DistributedDataParallel.
        decay: largest d_t, from 0 (no averaging) to below 1. 1 / (1 - decay) iterations count: 5 to 10 % of a run.

    Attributes:
        network: network to validate and save: the averaged one, or the trained one if nothing is averaged.

    Raises:
        InputError: If decay is out of range.

    Examples:
        >>> trained = nn.Linear(1, 1)
        >>> AveragedWeights(trained, decay=0).network is trained
        True
    """

    def __init__(self, network: nn.Module, decay: float = 0.99) -> None:
        if not 0 <= decay < 1:
            raise InputError(f"expected --ema_decay from 0 (off) to below 1, found {decay}")
        self.decay = decay
        self.trained = network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network
        self.average = AveragedModel(self.trained, multi_avg_fn=self._average) if decay else None
        self.network = self.average.module if self.average is not None else network

    def update(self) -> None:
        """Add the weights after an optimizer step to the average."""
        if self.average is not None:
            self.average.update_parameters(self.trained)

    @torch.no_grad()
    def _average(self, averages: Tensors, weights: Tensors, count: torch.Tensor | int) -> None:
        # The module's own counter is on the CPU; reading ``count`` would make a GPU wait.
        assert self.average is not None  # it is who calls
        decay = warmed_up_decay(self.decay, int(self.average.n_averaged))
        torch._foreach_lerp_(averages, weights, 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """Return the average and the number of updates; empty if nothing is averaged."""
        return {} if self.average is None else self.average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state of the same network and decay."""
        if self.average is not None:
            self.average.load_state_dict(state)


class WeightAveraging:
    """Handler that updates `AveragedWeights` after each iteration.

    Args:
        averaged: the average.
    """

    def __init__(self, averaged: AveragedWeights) -> None:
        self.averaged = averaged

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.averaged.update)


def warmed_up_decay(decay: float, count: int) -> float:
    """Return min(decay, (1 + count) / (10 + count)), the share of the average that stays after ``count`` updates.

    Examples:
        >>> warmed_up_decay(0.99, 0), warmed_up_decay(0.99, 8), warmed_up_decay(0.99, 10_000)
        (0.1, 0.5, 0.99)
    """
    return min(decay, (1 + count) / (10 + count))
