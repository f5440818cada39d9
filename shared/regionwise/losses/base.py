"""Base class of the losses: one form of target, float32 arithmetic, and a target prepared once for many logits."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import InputError
from ..labels import as_label_tensor, check_probabilities, plain

# Interpolation and float16 may leave a d̂ slightly outside [0, 1].
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Target:
    """A target in the form the losses compute with.

    Attributes:
        truth: int64 (B, *spatial) labels, or soft labels: floating (B, C, *spatial) probabilities.
        distance: float32 (B, *spatial), the normalized distance d̂ from the data pipeline, or None.
        soft: whether ``truth`` holds probabilities.
    """

    truth: torch.Tensor
    distance: torch.Tensor | None
    soft: bool = False

    @property
    def labels(self) -> torch.Tensor:
        """Labels int64 (B, *spatial): of soft ones, the most probable class."""
        return self.truth.argmax(1) if self.soft else self.truth


class LabelLoss(torch.nn.Module, ABC):
    """Loss of logits (B, C, *spatial) against labels (B, 1, *spatial), or labels and d̂ (B, 2, *spatial).

    A soft loss takes the probabilities of the classes in place of the labels: (B, C, *spatial), or (B, C + 1, *spatial)
    with d̂ last. A subclass says what it derives from the target alone (`prepare`) and the loss value (`compute`). Deep
    supervision prepares a target once for all logits of one resolution.

    Args:
        soft: whether targets are soft labels.
    """

    _seen = False  # whether a target was checked; see `split`

    def __init__(self, soft: bool = False) -> None:
        super().__init__()
        self.soft = soft

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss.

        Args:
            logits: (B, C, *spatial), 2-D or 3-D, any floating type; half and bfloat16 are computed with in float32.
            target: (B, 1, *spatial) integers from 0 to C - 1 in any type, or (B, 2, *spatial): those, and d̂ in [0, 1].
                Not one-hot. With ``soft``: (B, C, *spatial) probabilities that sum to 1 at each voxel, or
                (B, C + 1, *spatial), those and d̂. Values are checked on the CPU; on another device only in the first
                call, because every check waits for the device.

        Returns:
            A scalar tensor, float32 (float64 for float64 logits).

        Raises:
            InputError: If shapes do not fit, labels are not integers from 0 to C - 1, d̂ is outside [0, 1], the target
                is one-hot, or soft labels are no probabilities.
        """
        return self.compute(logits, self.prepare(logits, target))

    def prepare(self, logits: torch.Tensor, target: torch.Tensor) -> Any:
        """Derive what `compute` needs from the target, for logits of this shape."""
        return self.split(logits, target)

    @abstractmethod
    def compute(self, logits: torch.Tensor, prepared: Any) -> torch.Tensor:
        """Compute the loss for a prepared target."""

    def split(self, logits: torch.Tensor, target: torch.Tensor) -> Target:
        """Split a target into (soft) labels and d̂, checked as `forward` says."""
        num_classes = logits.shape[1]
        check_target(logits, target, (num_classes, num_classes + 1) if self.soft else (1, 2))
        check = target.device.type == "cpu" or not self._seen
        self._seen = True
        return split_soft_target(target, num_classes, check) if self.soft else split_target(target, num_classes, check)


def check_target(logits: torch.Tensor, target: torch.Tensor, channels: tuple[int, ...] = (1, 2)) -> None:
    """Check that logits and target are tensors of fitting shapes.

    Args:
        logits: expected (B, C, *spatial) with 2 or 3 spatial axes.
        target: expected (B, K, *spatial).
        channels: the values that K may have.

    Raises:
        InputError: If they are not.
    """
    for name, value in (("logits", logits), ("target", target)):
        if not isinstance(value, torch.Tensor):
            kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
            raise InputError(f"expected {name} as a torch tensor, got {kind}; torch.as_tensor converts it")
    if logits.ndim not in (4, 5):
        raise InputError(f"expected logits (B, C, *spatial) with 2 or 3 spatial axes, got shape {tuple(logits.shape)}")
    fits = target.ndim == logits.ndim and target.shape[0] == logits.shape[0] and target.shape[2:] == logits.shape[2:]
    if not fits or target.shape[1] not in channels:
        spatial = ", ".join(str(size) for size in logits.shape[2:])
        number = " or ".join(str(channel) for channel in channels)
        one_hot = (
            "; a one-hot target becomes labels by target.argmax(1, keepdim=True), and probabilities need a loss made "
            "with soft=True"
        )
        raise InputError(
            f"expected a target of shape ({logits.shape[0]}, {number}, {spatial}) for logits of shape "
            f"{tuple(logits.shape)}, got {tuple(target.shape)}{one_hot if target.shape == logits.shape else ''}"
        )


def split_target(target: torch.Tensor, num_classes: int, check: bool = True) -> Target:
    """Split (B, 1 or 2, *spatial) into labels and d̂.

    Args:
        target: labels, or labels and d̂.
        num_classes: C.
        check: check the values, which on another device than the CPU waits for it.

    Raises:
        InputError: If checked, and a label is not an integer from 0 to num_classes - 1, d̂ is outside [0, 1], or the
            target is one-hot.
    """
    target = plain(target)
    labels, distance = target[:, 0], target[:, 1].float() if target.shape[1] == 2 else None
    labels = as_label_tensor(labels, num_classes) if check else labels.long()
    if check and distance is not None:
        check_distance(labels, distance)
    return Target(labels, distance)


def split_soft_target(target: torch.Tensor, num_classes: int, check: bool = True) -> Target:
    """Split (B, C or C + 1, *spatial) into probabilities and d̂.

    Args:
        target: probabilities, or probabilities and d̂.
        num_classes: C.
        check: check the values, which on another device than the CPU waits for it.

    Raises:
        InputError: If checked, and d̂ is outside [0, 1], or `regionwise.labels.check_probabilities` refuses the
            probabilities.
    """
    target = plain(target)
    target = target if target.dtype == torch.float64 else target.float()
    distance = target[:, num_classes] if target.shape[1] > num_classes else None
    target = target[:, :num_classes]
    if check:
        check_probabilities(target, 1)
        if distance is not None:
            check_distance(target.argmax(1), distance)
    return Target(target, distance, soft=True)


def check_distance(labels: torch.Tensor, distance: torch.Tensor) -> None:
    """Check that the second channel of a target is a normalized distance d̂, not one half of a one-hot target.

    d̂ is positive at every voxel of an image; augmentation leaves 0 only outside it, where the label is 0. So a target
    of zeros and ones that has 0 at a labeled voxel holds something else: with two classes mostly one-hot labels, whose
    first channel, taken for labels, would train the inverse.

    Args:
        labels: int64 (B, *spatial).
        distance: float32 (B, *spatial).

    Raises:
        InputError: If d̂ is outside [0, 1] or NaN, or the target is one-hot.
    """
    if not distance.numel():
        return
    lowest, highest = (float(value) for value in torch.aminmax(distance))
    if not (lowest >= -_ROUNDING and highest <= 1 + _ROUNDING):
        raise InputError(
            "expected a target (B, 2, *spatial) of labels and normalized distance d̂ in [0, 1], found values from "
            f"{lowest:.4g} to {highest:.4g} in its second channel; regionwise.distance.normalized_distance computes d̂"
        )
    if lowest == 0 and not _is_distance(labels, distance):
        raise InputError(
            "expected a target (B, 2, *spatial) of labels and normalized distance d̂, found zeros and ones, as in a "
            "one-hot target (or of overlapping regions); pass labels (B, 1, *spatial): one-hot ones by "
            "target.argmax(1, keepdim=True), in MONAI's losses without to_onehot_y"
        )


def _is_distance(labels: torch.Tensor, distance: torch.Tensor) -> bool:
    """Say whether d̂ is positive at every labeled voxel, or has values between 0 and 1."""
    return not bool(((labels > 0) & (distance == 0)).any()) or bool(((distance > 0) & (distance < 1)).any())


def at_least_float32(logits: torch.Tensor) -> torch.Tensor:
    """Convert logits to float32 (float64 stays), without metadata: sums over an image lose too much in half."""
    logits = logits.as_subclass(torch.Tensor)
    return logits if logits.dtype == torch.float64 else logits.float()
