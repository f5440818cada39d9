"""Ignite handlers: validation, gradient clipping, finite loss, time budget, early stopping, record of the run.

Unlike MONAI's ``EarlyStopHandler``, `EarlyStopping` keeps no state of its own and so survives a resume.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import monai
import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from monai.handlers import MLFlowHandler
from monai.handlers import ValidationHandler as MonaiValidationHandler

from .. import __version__
from ..distributed import is_main_process
from ..errors import InputError
from ..files import write_json
from ..options import as_path
from .progress import train_loss


class ValidationHandler(MonaiValidationHandler):
    """MONAI's ValidationHandler, which also validates after the last epoch, whatever the interval."""

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""

        def due(engine: Engine, epoch: int) -> bool:
            return epoch % self.interval == 0 or epoch >= engine.state.max_epochs

        engine.add_event_handler(Events.EPOCH_COMPLETED(event_filter=due), self)


class GradientClipping:
    """Clip the norm of all gradients together before each optimizer step.

    Args:
        max_norm: largest Euclidean norm; nnU-Net uses 12.
    """

    def __init__(self, max_norm: float = 12.0) -> None:
        if not max_norm > 0:
            raise InputError(f"expected max_norm > 0 for gradient clipping, found {max_norm}")
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Unscale (under automatic mixed precision) and clip."""
        if engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        torch.nn.utils.clip_grad_norm_(engine.network.parameters(), self.max_norm)


class FiniteLoss:
    """End a run whose loss is NaN or infinite with an error instead of training on.

    The loss is read every ``interval`` iterations and at the end of each epoch only, because reading it synchronizes
    the GPU.

    Args:
        interval: iterations between two checks.
    """

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.interval), self)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Check the last loss."""
        loss = float(train_loss(engine.state.output))
        if not math.isfinite(loss):
            raise InputError(
                f"the loss became {loss} in epoch {engine.state.epoch}, iteration {engine.state.iteration}; "
                "lower --learning_rate or choose another --loss; the last good epoch is in last.pt"
            )


class TimeBudget:
    """End a run after the last epoch that fits into a time budget; validation and checkpoints happen as usual.

    Attach it before the validation, so that the epoch that becomes the last is validated.

    Args:
        max_minutes: wall-clock budget from the start of the run; None for no limit.
    """

    def __init__(self, max_minutes: float | None = None) -> None:
        if max_minutes is not None and not max_minutes > 0:
            raise InputError(f"expected max_minutes > 0, found {max_minutes}")
        self.max_minutes = max_minutes
        self.longest_epoch_s = 0.0

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        if self.max_minutes is not None:
            engine.add_event_handler(Events.STARTED, self.start)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def start(self, engine: Engine) -> None:
        """Start the clock."""
        self.started_s = self.epoch_started_s = time.monotonic()

    def __call__(self, engine: Engine) -> None:
        """Make this epoch the last one if another would exceed the budget."""
        assert self.max_minutes is not None  # `attach` registers no other
        now_s = time.monotonic()
        self.longest_epoch_s = max(self.longest_epoch_s, now_s - self.epoch_started_s)
        self.epoch_started_s = now_s
        over = now_s - self.started_s + self.longest_epoch_s > self.max_minutes * 60
        # One clock decides for all processes: they must stop after the same epoch.
        if idist.broadcast(float(over), src=0):
            engine.state.max_epochs = engine.state.epoch


class EarlyStopping:
    """End a run when the validation has not improved for ``patience`` epochs.

    It has no state of its own: the best epoch is the evaluator's, which a resumed run restores. Attach it after the
    validation; epochs without a validation do not count.

    Args:
        evaluator: the validation engine.
        patience: epochs without a better key metric; None never stops.
    """

    def __init__(self, evaluator: Engine, patience: int | None = None) -> None:
        self.evaluator, self.patience = evaluator, patience

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        if self.patience is not None:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Make this epoch the last one if the best is too long ago."""
        best = self.evaluator.state.best_metric_epoch
        validated_now = self.evaluator.state.epoch == engine.state.epoch
        if validated_now and best != -1 and engine.state.epoch - best >= self.patience:
            engine.state.max_epochs = engine.state.epoch


class RunRecord:
    """Record a run at its start: ``network.json`` for using its weights, ``run.json`` with all its settings.

    ``network.json`` holds the ids that inference and evaluation must share with the training; the runner takes it as
    ``--args_file``. Attach it after `Checkpoints`: a run that is refused there does not overwrite the first record.
    With ``--tracking mlflow``, the ids that users set are parameters of the MLflow run, and both files its artifacts.

    Args:
        folder: output folder.
        network: ids and values of the network.
        settings: id to value of all settings; in ``run.json`` those with a name of their own come first.
    """

    def __init__(self, folder: str | Path, network: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        self.folder, self.network, self.settings = as_path(folder, "output_dir"), network, settings

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        if is_main_process():
            engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Write both files, and have them tracked."""
        named = {key: value for key, value in self.settings.items() if "#" not in key}
        parts = {key: value for key, value in self.settings.items() if "#" in key}
        if "train#datalist#dataset" in parts:
            named = {"dataset": parts["train#datalist#dataset"], **named}
        versions = {"regionwise": __version__, "monai": monai.__version__, "torch": str(torch.__version__)}
        record = {**named, "network": self.network, "versions": versions, "settings": parts}
        write_json(self.folder / "network.json", self.network)
        write_json(self.folder / "run.json", record)
        for tracker in find_trackers(engine):
            # MLflow takes at most 100 parameters at once: those with a name of their own; all are in run.json.
            tracker.experiment_param = {**named, **(tracker.experiment_param or {})}
            files = [str(self.folder / name) for name in ("network.json", "run.json")]
            tracker.artifacts = (*filter(None, tracker.artifacts), *files)


def find_trackers(engine: Engine) -> list[MLFlowHandler]:
    """Return the MLflow handlers of an engine, which ``--tracking mlflow`` adds after those of the configuration.

    Ignite has no public way to list handlers.
    """
    called = [handler for handler, *_ in engine._event_handlers[Events.STARTED]]
    owners = [getattr(handler, "__self__", None) for handler in called]
    return [owner for owner in owners if isinstance(owner, MLFlowHandler)]
