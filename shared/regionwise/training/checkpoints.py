"""Save and restore training state: `last.pt` (resume) and `model.pt` (best weights)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from ..distributed import is_main_process
from ..errors import InputError
from ..files import atomic_path
from ..options import as_flag, as_path
from ..weights import inference_weights, load_checkpoint, mismatch
from .averaging import AveragedWeights

LAST = "last.pt"
BEST = "model.pt"
LAST_WEIGHTS = "model_last.pt"


class Checkpoints:
    """Handler that saves after every epoch and, with ``resume``, continues from the last save.

    Writes, each atomically: ``last.pt`` (everything: network, optimizer, scheduler, scaler, epoch, best metric, other
    handlers with a state) and the weights for inference: ``model.pt`` (best validation so far) and ``model_last.pt``.

    Attach it last, so that the epoch it saves is complete: after validation and the learning-rate step.

    Args:
        folder: output folder.
        network: the network that is trained.
        optimizer: its optimizer.
        scheduler: learning-rate scheduler.
        sampler: `regionwise.data.StreamSampler` whose position is set on resuming.
        batch_size: samples per iteration of this process.
        evaluator: the validation engine, whose best metric is kept.
        settings: what a run must share with the one it resumes, by the name on the command line; the
            content of the data (`regionwise.data.PatchDataset.contents`) is compared as well.
        resume: continue from ``last.pt`` if it exists.
        others: further objects with ``state_dict`` and ``load_state_dict``, by name.
        averaged: the average of the weights, which is saved for inference; None saves the network's own.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
        sampler: Any,
        batch_size: int,
        evaluator: Engine,
        settings: Mapping[str, Any] | None = None,
        resume: bool | str = False,
        others: Mapping[str, Any] | None = None,
        averaged: AveragedWeights | None = None,
    ) -> None:
        self.folder = as_path(folder, "output_dir")
        self.parts = {"network": network, "optimizer": optimizer, "scheduler": scheduler, **(others or {})}
        if averaged is not None:
            self.parts["averaged"] = averaged
        self.for_inference = network if averaged is None else averaged.network
        self.sampler, self.batch_size = sampler, batch_size
        self.evaluator, self.settings, self.resume = evaluator, dict(settings or {}), as_flag(resume, "resume")
        self.saved_best_epoch = -1

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.STARTED, self.restore)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.store)

    def restore(self, engine: Engine) -> None:
        """Load ``last.pt`` into everything that has a state, if ``resume`` is set and the file exists."""
        path = self.folder / LAST
        if not self.resume or not path.is_file():
            return
        content = load_checkpoint(path)
        problem = self._misfit(content, engine)
        if problem:
            raise InputError(f"cannot resume from {path}: {problem}")
        for name, part in self.parts.items():
            part.load_state_dict(content[name])
        if engine.scaler is not None and content["scaler"] is not None:
            engine.scaler.load_state_dict(content["scaler"])
        engine.state.epoch, engine.state.iteration = content["epoch"], content["iteration"]
        self.evaluator.state.best_metric = content["best_metric"]
        self.evaluator.state.best_metric_epoch = self.saved_best_epoch = content["best_metric_epoch"]
        self.sampler.position = content["iteration"] * self.batch_size

    def _misfit(self, content: Any, engine: Engine) -> str:
        """Describe why a saved state cannot be resumed by this run ("" if it can)."""
        needed = {*self.parts, "scaler", "epoch", "iteration", "best_metric", "best_metric_epoch", "settings"}
        if not isinstance(content, Mapping) or not needed <= content.keys():
            return "it is not the last state of a run; train without --resume"
        if problem := find_difference(content["settings"], self.settings):
            return f"it was started {problem}; pass the same"
        if problem := find_other_case(content.get("data", {}), _contents(engine, self.evaluator)):
            return f"{problem}; resume with the data of the first run"
        if problem := mismatch(self.parts["network"].state_dict(), content["network"]):
            return f"{problem}; resume with the settings of the first run"
        # Also for a trainer whose length was set past the settings.
        length = content["iteration"] // content["epoch"]
        if length != engine.state.epoch_length:
            return f"it was started with --iterations_per_epoch {length}; pass the same"
        steps = content["scheduler"].get("total_steps")  # of a schedule by the iteration
        planned = content["scheduler"].get("total_iters") if steps is None else steps // length
        if planned is not None and planned != engine.state.max_epochs:
            return f"it was started with --epochs {planned}; pass the same"
        return ""

    def store(self, engine: Engine) -> None:
        """Save the last state and, after a new best validation, the best weights."""
        if not is_main_process():
            return
        content = {name: part.state_dict() for name, part in self.parts.items()}
        content["scaler"] = engine.scaler.state_dict() if engine.scaler is not None else None
        content |= {"epoch": engine.state.epoch, "iteration": engine.state.iteration, "settings": self.settings}
        content["data"] = _contents(engine, self.evaluator)
        state = self.evaluator.state
        content |= {"best_metric": float(state.best_metric), "best_metric_epoch": int(state.best_metric_epoch)}
        weights = inference_weights(self.for_inference.state_dict())
        # The best weights first: were the run killed between the two, the epoch would be done again, not lost.
        if state.best_metric_epoch not in (-1, self.saved_best_epoch):
            _save(self.folder / BEST, weights)
            self.saved_best_epoch = state.best_metric_epoch
        _save(self.folder / LAST_WEIGHTS, weights)
        _save(self.folder / LAST, content)


def find_difference(first: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe how the settings of a run differ from those it was started with ("" if they do not).

    Args:
        first: id to value, of the run as it was started.
        now: id to value, of the run as it is resumed.
    """
    for name, value in first.items():
        if name not in now or now[name] != value:
            return f"with --{name} {value}"
    added = [name for name in now if name not in first]
    return f"without --{added[0]}" if added else ""


def find_other_case(first: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Describe which case differs from those a run was started with ("" if none does).

    Args:
        first: case to digest, of the run as it was started.
        now: case to digest, of the run as it is resumed.
    """
    changed = [case for case in first if case in now and now[case] != first[case]]
    missing = [case for case in first if case not in now]
    added = [case for case in now if case not in first]
    for cases, problem in ((missing, "is missing"), (added, "is new"), (changed, "has other content")):
        if cases:
            more = f" (and {len(cases) - 1} more cases)" if len(cases) > 1 else ""
            return f"the case {cases[0]} {problem}{more}"
    return ""


def _contents(engine: Engine, evaluator: Engine) -> dict[str, str]:
    """Return case to digest of the training's and the validation's datasets, {} for those that keep none."""
    loaders = [getattr(one, "data_loader", None) for one in (engine, evaluator)]
    datasets = [getattr(loader, "dataset", None) for loader in loaders]
    return {case: digest for dataset in datasets for case, digest in getattr(dataset, "contents", {}).items()}


def _save(path: Path, content: Any) -> None:
    with atomic_path(path) as temporary:
        torch.save(content, temporary)
