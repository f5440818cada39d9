"""Deep supervision: one loss at several resolutions of a network's decoder."""

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import InputError
from .base import LabelLoss


class DeepSupervisionLoss(torch.nn.Module):
    """Deep supervision: weighted sum of one loss over the resolutions of a decoder.

    L = sum_l v_l loss(logits_l, target_l), with v_l = 1 / 2^l normalized to sum 1, level 0 the full resolution.

    The logits come in one of three forms, told apart by type and number of axes:

    - a tensor with one axis more than the target, (B, L, C, *spatial): what DynUNet returns in training, all levels
      enlarged to full resolution (nearest neighbor) and stacked;
    - a list or tuple of tensors (B, C, *spatial_l), each at its own resolution;
    - a tensor with as many axes as the target, (B, C, *spatial): what networks return in evaluation; level 0 alone.

    The target of a smaller level is every k-th voxel of the target (nearest neighbor), labels and d̂ alike. With labels
    alone, a map is computed at each level's own resolution. (MONAI's `DeepSupervisionLoss` takes a list only,
    interpolates the target for every level anew, and knows no target of labels and d̂.)

    Any loss of logits and target can be wrapped. Of a target of two channels, labels and d̂, a loss that is not one of
    this package gets the labels: MONAI's losses work with ``to_onehot_y=True, softmax=True``.

    Args:
        loss: the loss of one level, called with logits and target; it stays reachable as ``loss``.
        weights: v_l before normalization, one per level; None means 1 / 2^l.
        level_strides: for stacked logits, how much coarser each level is than level 0 (a number, one per axis, or None
            for not at all). Given, each level is taken back to its own resolution: exactly, since nearest-neighbor
            enlargement by a whole factor only repeats voxels. None: every level is compared with the target at full
            resolution.

    Raises:
        InputError: If a weight is negative or all are 0, or a stride is not a positive integer.
    """

    def __init__(
        self,
        loss: torch.nn.Module,
        weights: Sequence[float] | None = None,
        level_strides: Sequence[Sequence[int] | int | None] | None = None,
    ) -> None:
        super().__init__()
        if weights is not None and not (len(weights) and all(weight >= 0 for weight in weights) and sum(weights) > 0):
            raise InputError(f"expected weights >= 0 with a positive sum, one per level, got {list(weights)}")
        self.loss, self.weights = loss, weights
        self.level_strides = None if level_strides is None else [_as_stride(stride) for stride in level_strides]

    def forward(self, logits: torch.Tensor | Sequence[torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        """Compute the weighted sum over levels.

        Args:
            logits: one of the three forms above.
            target: (B, K, *spatial) at full resolution, as the wrapped loss takes it.

        Raises:
            InputError: If the number of levels differs from that of weights or strides, a stride does not divide the
                image, or the wrapped loss refuses the shapes.
        """
        levels = self._levels(logits, target)
        weights = [0.5**level for level in range(len(levels))] if self.weights is None else list(self.weights)
        if len(levels) == 1:
            weights = weights[:1]
        if len(weights) != len(levels):
            raise InputError(f"expected logits of {len(weights)} levels, one for each weight, got {len(levels)}")
        total: Any = 0.0
        prepared: dict[tuple[int, ...], Any] = {}
        for level, weight in zip(levels, weights, strict=True):
            if weight:
                total = total + weight / sum(weights) * self._level_loss(level, target, prepared)
        return total

    def _levels(self, logits: torch.Tensor | Sequence[torch.Tensor], target: torch.Tensor) -> list[torch.Tensor]:
        if not isinstance(logits, torch.Tensor):
            return list(logits)
        if logits.ndim == target.ndim:
            return [logits]
        if logits.ndim != target.ndim + 1:
            raise InputError(
                f"expected logits with {target.ndim} axes (B, C, *spatial) or {target.ndim + 1} (B, L, C, *spatial) "
                f"for a target of shape {tuple(target.shape)}, got shape {tuple(logits.shape)}"
            )
        levels = list(logits.unbind(1))
        if self.level_strides is None:
            return levels
        if len(self.level_strides) != len(levels):
            raise InputError(f"expected logits of {len(self.level_strides)} levels (level_strides), got {len(levels)}")
        return [_strided(level, stride) for level, stride in zip(levels, self.level_strides, strict=True)]

    def _level_loss(self, logits: torch.Tensor, target: torch.Tensor, prepared: dict) -> torch.Tensor:
        size = tuple(logits.shape[2:])
        if size not in prepared:  # levels of one resolution share what is derived from the target
            smaller = nearest(target, size)
            if isinstance(self.loss, LabelLoss):
                prepared[size] = self.loss.prepare(logits, smaller)
            else:
                prepared[size] = smaller[:, :1] if smaller.shape[1] == 2 else smaller
        compute = self.loss.compute if isinstance(self.loss, LabelLoss) else self.loss
        return compute(logits, prepared[size])


def nearest(target: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Thin a target to a smaller resolution by taking voxels: index i of n is index floor(i N / n) of N.

    Args:
        target: (B, K, *spatial).
        size: the smaller spatial size.

    Returns:
        (B, K, *size), a view where the size divides the target's.
    """
    for axis, (full, small) in enumerate(zip(target.shape[2:], size, strict=True), start=2):
        if full % small == 0:
            index = [slice(None)] * axis + [slice(None, None, full // small)]
            target = target[tuple(index)]
        else:
            target = target.index_select(axis, torch.arange(small, device=target.device) * full // small)
    return target


def _as_stride(stride: Sequence[int] | int | None) -> Sequence[int] | int:
    stride = 1 if stride is None else stride
    values = [stride] if isinstance(stride, int) else list(stride)
    if not all(isinstance(value, int) and value >= 1 for value in values):
        raise InputError(f"expected level_strides of positive integers or None, got {stride}")
    return stride


def _strided(logits: torch.Tensor, stride: Sequence[int] | int) -> torch.Tensor:
    size = tuple(logits.shape[2:])
    strides = [stride] * len(size) if isinstance(stride, int) else list(stride)
    if len(strides) != len(size) or any(n % k for n, k in zip(size, strides, strict=True)):
        raise InputError(f"expected a level stride that divides the image size {size}, got {strides}")
    return logits[(slice(None), slice(None), *(slice(None, None, k) for k in strides))]
