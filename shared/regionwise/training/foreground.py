"""Count predicted and reference voxels per structure, over training batches and over the validation cases."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events

from ..distributed import is_main_process


class ForegroundFraction:
    """Ignite handler that counts voxels per class over the validation cases and writes their shares to TensorBoard.

    Only counts are kept; the device is read once per validation.

    Args:
        num_classes: C, the background included.
        log_dir: folder of TensorBoard's curves ``foreground_fraction/structure_<c>/{predicted,reference}``; None writes
            none.

    Attributes:
        counts: voxels per class of the last validation, float32 (2, C) of the predictions and of the references, over
            all processes; None before the first.
    """

    def __init__(self, num_classes: int, log_dir: str | os.PathLike | None = None) -> None:
        self.num_classes, self.log_dir = num_classes, log_dir
        self.writer: Any = None
        self.counts: torch.Tensor | None = None

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator whose output has label maps "pred" and "label", (1, *spatial)."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Reset the counts."""
        self.counts = None

    def add(self, engine: Engine) -> None:
        """Count a case."""
        output = engine.state.output
        for item in output if isinstance(output, list) else [output]:
            pair = torch.stack([voxels_per_class(item[key], self.num_classes) for key in ("pred", "label")])
            self.counts = pair if self.counts is None else self.counts + pair

    def finish(self, engine: Engine) -> None:
        """Sum over processes and write; the evaluator's epoch is that of the trainer."""
        self.counts = over_processes(self.counts, (2, self.num_classes))
        if self.log_dir is None or not is_main_process():
            return
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter  # loads slowly

            self.writer = SummaryWriter(str(self.log_dir))
        shares = self.counts / self.counts.sum(1, keepdim=True).clamp(min=1)
        for c in range(1, self.num_classes):
            for name, share in zip(("predicted", "reference"), shares[:, c].tolist(), strict=True):
                self.writer.add_scalar(f"foreground_fraction/structure_{c}/{name}", share, engine.state.epoch)
        self.writer.flush()


def batch_counts(output: Any, num_classes: int) -> torch.Tensor:
    """Count the voxels of a training batch without synchronizing its device.

    Args:
        output: of MONAI's trainer, decollated or not, with logits "pred" (those of full resolution are counted) and
            "label": labels in the first of at most two channels, or soft labels, of which the most probable class
            counts (of two classes: with d̂).
        num_classes: C.

    Returns:
        float32 (3, C): per class, predicted voxels, reference voxels, and the sum of 1 - max_c p_c over the latter.
    """
    items, join = (output, torch.stack) if isinstance(output, list) else ([output], torch.cat)
    levels = [item["pred"][0] if isinstance(item["pred"], list | tuple) else item["pred"] for item in items]
    logits, target = join(levels).detach(), join([item["label"] for item in items]).detach()
    logits = logits[:, 0] if logits.ndim > target.ndim else logits
    highest, predicted = logits.as_subclass(torch.Tensor).float().softmax(1).max(1)
    target = target.as_subclass(torch.Tensor)
    labels = target[:, 0] if target.shape[1] <= 2 else target[:, :num_classes].argmax(1)
    doubt = torch.stack([((1 - highest) * (labels == c)).sum() for c in range(num_classes)])
    return torch.stack(
        [voxels_per_class(predicted, num_classes), voxels_per_class(labels, num_classes), doubt.double()]
    )


def voxels_per_class(labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Count voxels per class, float32 (C,) on the labels' device, without synchronizing it (`torch.bincount` does)."""
    labels = labels.as_subclass(torch.Tensor)
    return torch.stack([(labels == c).sum() for c in range(num_classes)]).float()


def over_processes(counts: torch.Tensor | None, shape: Sequence[int]) -> torch.Tensor:
    """Sum counts over processes, on the CPU; some processes may have none."""
    counts = torch.zeros(tuple(shape), device=idist.device()) if counts is None else counts
    return idist.all_reduce(counts, "SUM").cpu()
