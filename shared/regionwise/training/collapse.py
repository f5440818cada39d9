"""Detect collapse: a network that predicts one class everywhere, is sure of it, and no longer learns."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from ignite.engine import Engine, Events
from tqdm import tqdm

from ..distributed import is_main_process
from ..errors import InputError, did_you_mean
from .foreground import ForegroundFraction, batch_counts, over_processes
from .progress import train_loss

ACTIONS = ("warn", "stop")

# Below this share of the reference's voxels a structure counts as predicted nowhere: stray voxels are no structure.
STRAY = 1e-3
# A network that has learned nothing but the frequency of a class doubts its background by just that frequency, and
# losses lead it on from there. One that doubts less than half as much, at the very voxels where it is wrong, is not at
# the start of learning: in trainings on slices with 3 % foreground the ratio of the two was 0.3 and falling where they
# collapsed, and above 1.5 where they did not.
SURE = 0.5
# Iterations; none of the collapsed trainings came back within 550.
PATIENCE = 200


def missed_classes(predicted: Sequence[float], reference: Sequence[float]) -> list[int]:
    """List the classes that occur in the references and are predicted nowhere, apart from stray voxels.

    Args:
        predicted: voxels per class, the background included, over all images.
        reference: voxels per class in the references.
    """
    pairs = enumerate(zip(predicted, reference, strict=True))
    return [c for c, (found, voxels) in pairs if voxels > 0 and found <= STRAY * voxels]


def has_collapsed(predicted: Sequence[float], reference: Sequence[float]) -> bool:
    """Return whether one class is predicted although the references have more; arguments: see `missed_classes`."""
    present = sum(voxels > 0 for voxels in reference)
    return present > 1 and present - len(missed_classes(predicted, reference)) <= 1


def is_sure(doubt: float, missed: float, voxels: float) -> bool:
    """Return whether a network is more certain of its errors than the frequency of the missed classes explains.

    Args:
        doubt: sum of 1 - max_c p_c over the voxels of the classes it misses.
        missed: number of these voxels.
        voxels: total number of voxels.
    """
    return missed > 0 and doubt / missed < SURE * min(missed / voxels, 0.1)


@dataclass
class CollapseState:
    """State of `CollapseGuard` that survives a resume, saved by `Checkpoints`.

    Attributes:
        since: iteration at which the collapse was first seen; None before that.
        absent_since: for each structure that the last validation missed, the iteration at which that began.
        told: structures whose absence has been reported.
    """

    since: int | None = None
    absent_since: dict[int, int] = field(default_factory=dict)
    told: list[int] = field(default_factory=list)

    def state_dict(self) -> dict[str, Any]:
        """Return the attributes."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore saved attributes."""
        self.__dict__.update(state)


class CollapseGuard:
    """Ignite handler that reports a collapsed training and, if the collapse lasts, ends the run.

    Collapsed means that over an epoch, in the training batches (every tenth) and in the validation cases if there was a
    validation, the network predicts a single class although the references have more, and is certain of it (`is_sure`):
    where the softmax is saturated, the gradient of a region-wise loss vanishes. The loss is shown, not tested:
    that of an annealed training moves with its schedule. A collapse is reported at once and, with action "stop", ends
    the run with an error after ``patience`` iterations; ``model.pt`` holds the best weights so far.

    A structure that alone is predicted nowhere for ``patience`` iterations is reported once, but does not end the
    run: it may be learned late. Those that the last validation of the run misses are reported at its end.

    Attach it after the validation and before `Checkpoints`.

    Args:
        evaluator: validation engine whose output has label maps "pred" and "label".
        num_classes: C, the background included.
        action: "warn" or "stop".
        patience: number of iterations, counted from the epoch in which the collapse is first seen.
        log_dir: folder of TensorBoard's curves (`ForegroundFraction`); None writes none.
        state: the state to use; pass it to `Checkpoints` (``others``) as well so that it is saved.

    Raises:
        InputError: If action is neither of the two.

    Examples:
        >>> from ignite.engine import Engine
        >>> from regionwise.training.collapse import CollapseGuard
        >>> trainer, evaluator = (Engine(lambda engine, batch: None) for _ in range(2))
        >>> CollapseGuard(evaluator, num_classes=4, action="warn").attach(trainer)
    """

    def __init__(
        self,
        evaluator: Engine,
        num_classes: int,
        action: str = "stop",
        patience: int = PATIENCE,
        log_dir: str | os.PathLike | None = None,
        state: CollapseState | None = None,
    ) -> None:
        if action not in ACTIONS:
            raise InputError(f"Unknown --on_collapse '{action}'; {did_you_mean(action, ACTIONS)}")
        self.evaluator, self.num_classes, self.action, self.patience = evaluator, num_classes, action, patience
        self.validation = ForegroundFraction(num_classes, log_dir)
        self.validation.attach(evaluator)
        self.trained: torch.Tensor | None = None
        self.missed: list[int] = []
        self.state = CollapseState() if state is None else state

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.look)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)
        engine.add_event_handler(Events.COMPLETED, self.report_missed)

    def start(self, engine: Engine) -> None:
        """Reset the counts of the epoch."""
        self.trained = self.validation.counts = None

    def look(self, engine: Engine) -> None:
        """Count every tenth batch; more often in a short epoch."""
        if engine.state.iteration % max(1, min(10, engine.state.epoch_length // 5)) == 0:
            counts = batch_counts(engine.state.output, self.num_classes)
            self.trained = counts if self.trained is None else self.trained + counts

    def __call__(self, engine: Engine) -> None:
        """Check for a collapse at the end of an epoch."""
        self.trained = over_processes(self.trained, (3, self.num_classes))
        predicted, reference, doubt = self.trained.tolist()
        missed = missed_classes(predicted, reference)
        collapsed = has_collapsed(predicted, reference) and is_sure(
            sum(doubt[c] for c in missed), sum(reference[c] for c in missed), sum(reference)
        )
        validated = self.validation.counts
        if validated is not None:
            found, there = validated.tolist()
            self.missed = missed_classes(found, there)
            self._note_absent(found, there, engine.state.iteration)
            collapsed = collapsed and has_collapsed(found, there)
        if collapsed:
            self._report(engine, missed)
        elif sum(voxels > 0 for voxels in reference) > 1:  # else there was nothing to miss
            self.state.since = None

    def report_missed(self, engine: Engine) -> None:
        """Report the structures that the last validation missed."""
        if self.missed:
            _say(
                f"the training ends with {_names(self.missed)} predicted nowhere in the validation cases; train "
                "longer, or with --loss rrw:annealed or another --learning_rate"
            )

    def _report(self, engine: Engine, missed: Sequence[int]) -> None:
        """Report the collapse; raise once it has lasted for ``patience`` iterations."""
        first, now = self.state.since is None, engine.state.iteration
        since = now if self.state.since is None else self.state.since
        self.state.since = since
        assert self.trained is not None  # `__call__` has summed it
        predicted, reference, doubt = self.trained
        sureness = 1 - float(doubt[missed].sum() / reference[missed].sum())
        line = (
            f"the training has collapsed: class {int(predicted.argmax())} is predicted everywhere, with mean "
            f"probability {sureness:.4f} even where the reference has {_names(missed)}, and the loss is "
            f"{float(train_loss(engine.state.output)):.4f}; train with --loss rrw:annealed or a smaller --learning_rate"
        )
        if self.action == "stop" and now - since >= self.patience:
            best = self.evaluator.state
            good = best.best_metric_epoch != -1 and best.best_metric > 0
            kept = f"; model.pt holds the best weights, of epoch {best.best_metric_epoch}" if good else ""
            raise InputError(f"{line} (stopped after {now - since} iterations of it; --on_collapse warn goes on{kept})")
        if first:
            _say(f"{line} (seen in epoch {engine.state.epoch})")

    def _note_absent(self, predicted: list[float], reference: list[float], iteration: int) -> None:
        """Report once that a structure has been predicted nowhere for ``patience`` iterations."""
        absent, state = missed_classes(predicted, reference), self.state
        state.absent_since = {c: state.absent_since.get(c, iteration) for c in absent}
        late = [c for c in absent if iteration - state.absent_since[c] >= self.patience and c not in state.told]
        if late and not has_collapsed(predicted, reference):
            state.told += late
            since = min(state.absent_since[c] for c in late)
            _say(f"{_names(late)} predicted nowhere in the validation cases since iteration {since}")


def _names(structures: Sequence[int]) -> str:
    return f"structure{'s' if len(structures) > 1 else ''} {', '.join(map(str, structures))}"


def _say(line: str) -> None:
    if is_main_process():
        tqdm.write(f"warning: {line}")
