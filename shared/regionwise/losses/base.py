"""What the losses share: one form of target, float32 arithmetic, and a target that is prepared once for many logits."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import InputError
from ..labels import checked_label_tensor, plain


@dataclass(frozen=True)
class Target:
    """A target in the form the losses compute with.

    Attributes:
        labels: int64 (B, *spatial).
        distance: float32 (B, *spatial), d̂ as the data pipeline gave it, or None.
    """

    labels: torch.Tensor
    distance: torch.Tensor | None


class LabelLoss(torch.nn.Module, ABC):
    """A loss of logits (B, C, *spatial) against labels (B, 1, *spatial), or labels and d̂ (B, 2, *spatial).

    A subclass says what it derives from the target alone (`prepare`) and the loss value (`compute`). Deep supervision
    prepares a target once for all logits of one resolution.
    """

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss value.

        Args:
            logits: (B, C, *spatial), 2-D or 3-D, any floating type; half and bfloat16 are computed with in float32.
            target: (B, 1, *spatial) integers from 0 to C - 1 in any type, or (B, 2, *spatial) those and d̂. Values are
                checked on the CPU; on another device, checking would wait for it.

        Returns:
            A scalar tensor, float32 (float64 for float64 logits).

        Raises:
            InputError: shapes do not fit, or (on the CPU) labels are not integers from 0 to C - 1.
        """
        return self.compute(logits, self.prepare(logits, target))

    def prepare(self, logits: torch.Tensor, target: torch.Tensor) -> Any:
        """Return what `compute` needs of the target for logits of this shape."""
        raise_unless_fitting(logits, target)
        return split_target(target, logits.shape[1])

    @abstractmethod
    def compute(self, logits: torch.Tensor, prepared: Any) -> torch.Tensor:
        """Return the loss value for a prepared target."""


def raise_unless_fitting(logits: torch.Tensor, target: torch.Tensor, channels: tuple[int, ...] = (1, 2)) -> None:
    """Raise unless logits and target have fitting shapes and the target one of these numbers of channels.

    Raises:
        InputError: they have not.
    """
    if logits.ndim not in (4, 5):
        raise InputError(f"expected logits (B, C, *spatial) with 2 or 3 spatial axes, got shape {tuple(logits.shape)}")
    fits = target.ndim == logits.ndim and target.shape[0] == logits.shape[0] and target.shape[2:] == logits.shape[2:]
    if not fits or target.shape[1] not in channels:
        spatial = ", ".join(str(size) for size in logits.shape[2:])
        number = " or ".join(str(channel) for channel in channels)
        raise InputError(
            f"expected a target of shape ({logits.shape[0]}, {number}, {spatial}) for logits of shape "
            f"{tuple(logits.shape)}, got {tuple(target.shape)}"
        )


def split_target(target: torch.Tensor, num_classes: int) -> Target:
    """Split (B, 1 or 2, *spatial) into labels and d̂.

    Raises:
        InputError: on the CPU, a label is not an integer from 0 to num_classes - 1.
    """
    target = plain(target)
    labels = target[:, 0]
    labels = checked_label_tensor(labels, num_classes) if labels.device.type == "cpu" else labels.long()
    return Target(labels, target[:, 1].float() if target.shape[1] == 2 else None)


def at_least_float32(logits: torch.Tensor) -> torch.Tensor:
    """Return logits without metadata, as float32 (float64 stays): sums over an image lose too much in half."""
    logits = logits.as_subclass(torch.Tensor)
    return logits if logits.dtype == torch.float64 else logits.float()
