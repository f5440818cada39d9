"""The same exact distance on any torch device: separable passes over a whole batch, no copy to the CPU."""

from collections.abc import Sequence

import torch

# Elements of the largest temporary array of a pass (lines x line length x line length).
_CHUNK_ELEMENTS = 1 << 26


def torch_label_distance(labels: torch.Tensor, spacing: Sequence[float]) -> torch.Tensor:
    """Return each voxel's distance to the nearest voxel of another label of its image.

    Along the first axis handled, the distance to the nearest change of label. Along each further axis
    D(i)^2 = min_j [g_j(i) + (s (i - j))^2], where g_j(i) is what the previous axes gave at j if j has the label of i,
    and 0 if it has another. Both are exact.

    Args:
        labels: (B, *spatial), integer type, values >= 0.
        spacing: voxel size along each spatial axis.

    Returns:
        float32 (B, *spatial), in the unit of spacing; infinity where there is no other label.

    Source: the separable lower envelope of Felzenszwalb & Huttenlocher 2012, extended to labels.
    """
    if not labels.numel():
        return torch.empty(labels.shape, device=labels.device)
    # The first pass is linear in the line's length and the others quadratic: the longest axis goes first.
    axes = sorted(range(1, labels.ndim), key=lambda axis: -labels.shape[axis])
    squared = None
    for axis in axes:
        lines = labels.movedim(axis, -1)
        if squared is None:
            done = _distance_to_change(lines).mul_(spacing[axis - 1]).square_()
        else:
            done = _envelope(lines, squared.movedim(axis, -1), spacing[axis - 1])
        squared = done.movedim(-1, axis)
    return squared.contiguous().sqrt_()


def torch_normalize(distance: torch.Tensor, labels: torch.Tensor, num_labels: int | None = None) -> torch.Tensor:
    """Divide each voxel's distance by the largest of its label in its image; 1 where a label fills its image.

    Args:
        distance: float32 (B, *spatial) from `torch_label_distance`.
        labels: (B, *spatial), integer type, values >= 0.
        num_labels: an upper bound of the labels + 1; given, nothing is read back from the device.

    Returns:
        float32 (B, *spatial), in (0, 1].
    """
    if not labels.numel():
        return distance
    if num_labels is None:
        num_labels = int(labels.max()) + 1
    index = labels.flatten(1).long()
    flat = distance.flatten(1)
    peaks = flat.new_zeros(len(flat), num_labels).scatter_reduce_(1, index, flat, "amax")
    return torch.where(flat.isinf(), 1.0, flat / peaks.gather(1, index)).view_as(distance)


def _distance_to_change(labels: torch.Tensor) -> torch.Tensor:
    """Return the distance, in voxels, to the nearest voxel of another label along the last axis; inf without one."""
    length = labels.shape[-1]
    position = torch.arange(length, device=labels.device, dtype=torch.float32)
    change = labels[..., 1:] != labels[..., :-1]
    infinite = torch.full(labels.shape, torch.inf, device=labels.device)
    # The voxel before a segment's first one, and the voxel after its last one, are the nearest of another label.
    before, after = -infinite, infinite
    before[..., 1:] = torch.where(change, position[:-1], before[..., 1:])
    after[..., :-1] = torch.where(change, position[1:], after[..., :-1])
    before = before.cummax(-1).values
    after = after.flip(-1).cummin(-1).values.flip(-1)
    return torch.minimum(position - before, after - position)


def _envelope(labels: torch.Tensor, squared: torch.Tensor, spacing: float) -> torch.Tensor:
    """Return min_j [g_j(i) + (spacing (i - j))^2] along the last axis, some lines at a time."""
    length = labels.shape[-1]
    position = torch.arange(length, device=labels.device, dtype=torch.float32).mul_(spacing)
    parabola = (position[:, None] - position[None, :]).square_()
    flat_labels, flat_squared = labels.reshape(-1, length), squared.reshape(-1, length)
    result = torch.empty_like(flat_squared)
    step = max(1, _CHUNK_ELEMENTS // max(1, length * length))
    for start in range(0, len(flat_labels), step):
        part = slice(start, start + step)
        other = flat_labels[part, :, None] != flat_labels[part, None, :]
        candidate = flat_squared[part, None, :].masked_fill(other, 0.0)
        torch.amin(candidate.add_(parabola), -1, out=result[part])
    return result.view(squared.shape)
