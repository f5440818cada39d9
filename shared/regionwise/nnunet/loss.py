"""Loss of an nnU-Net training: one loss per resolution of the network's output, with its own voxel size."""

from collections.abc import Sequence

import torch

from ..errors import InputError


class LevelLosses(torch.nn.Module):
    """Deep supervision as nnU-Net does it, with one loss per level: L = sum_l v_l loss_l(outputs_l, targets_l).

    Unlike `regionwise.losses.DeepSupervisionLoss`, the targets of the smaller levels come from the data pipeline.

    Args:
        losses: loss_l of each level.
        weights: v_l of each level.

    Raises:
        InputError: If there are not as many weights as losses.
    """

    def __init__(self, losses: Sequence[torch.nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        if len(losses) != len(weights):
            raise InputError(f"expected {len(losses)} weights, one per level, got {len(weights)}")
        self.losses, self.weights = torch.nn.ModuleList(losses), tuple(float(weight) for weight in weights)

    def forward(self, outputs: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compute the weighted sum; a level of weight 0 is not computed.

        Args:
            outputs: logits (B, C, *spatial_l) of each level.
            targets: labels (B, 1, *spatial_l) of each level.

        Raises:
            InputError: If there are not as many outputs or targets as losses, or a loss refuses its arguments.
        """
        if not len(outputs) == len(targets) == len(self.losses):
            raise InputError(
                f"expected outputs and targets of {len(self.losses)} levels, got {len(outputs)} and {len(targets)}"
            )
        levels = zip(self.weights, self.losses, outputs, targets, strict=True)
        return sum(weight * loss(output, target) for weight, loss, output, target in levels if weight)


def level_spacings(spacing: Sequence[float], scales: Sequence[Sequence[float]] | None) -> list[tuple[float, ...]]:
    """Voxel size at each level: that of the full resolution divided by the level's scale, axis by axis.

    It matters where an axis is pooled less often than another, as the through-plane axis of thick slices: only a
    factor common to all axes cancels in d̂.

    Args:
        spacing: voxel size of the configuration along each axis of the patch.
        scales: size of each level relative to the full resolution, along each axis: 1, 1/2, ...; None means that there
            is one level, the full resolution.

    Raises:
        InputError: If a scale has another number of axes than spacing.
    """
    if scales is None:
        return [tuple(float(size) for size in spacing)]
    for scale in scales:
        if len(scale) != len(spacing):
            raise InputError(f"expected scales of {len(spacing)} axes, as the spacing has, got {list(scale)}")
    return [tuple(float(size / factor) for size, factor in zip(spacing, scale, strict=True)) for scale in scales]
