"""The same exact distance on any torch device: separable passes over a whole batch, no copy to the CPU."""

from collections.abc import Sequence

import torch

# Elements of the largest temporary array of a pass (lines x line length x line length): 32 MiB.
_CHUNK_ELEMENTS = 1 << 23


def torch_label_distance(labels: torch.Tensor, spacing: Sequence[float]) -> torch.Tensor:
    """Return each voxel's distance to the nearest voxel of another label of its image.

    One pass per axis. With D the squared distance so far (infinity at first) and e_i the distance along the axis from
    voxel i to the nearest voxel of another label, the next one is

    D'_i = min(e_i^2, min_j [D_j + (s (i - j))^2]).

    Labels need no comparison inside the second minimum: where a voxel of another label lies between i and j, its own
    distance along the axis is smaller than that to j, and e_i is smaller still.

    Args:
        labels: (B, *spatial), integer type, values >= 0.
        spacing: voxel size along each spatial axis.

    Returns:
        float32 (B, *spatial), in the unit of spacing; infinity where there is no other label.

    Source: the separable passes of Felzenszwalb & Huttenlocher 2012, extended to labels.
    """
    if not labels.numel():
        return torch.empty(labels.shape, device=labels.device)
    squared: torch.Tensor | None = None
    # The first pass is linear in the line's length and the others quadratic: the longest axis goes first.
    for axis in sorted(range(1, labels.ndim), key=lambda axis: -labels.shape[axis]):
        change = _distance_to_change(labels.movedim(axis, -1)).mul_(spacing[axis - 1]).square_()
        if squared is not None:
            change = torch.minimum(change, _add_parabolas(squared.movedim(axis, -1), spacing[axis - 1]))
        squared = change.movedim(-1, axis)
    assert squared is not None  # there is one spatial axis at least
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


def _add_parabolas(squared: torch.Tensor, spacing: float) -> torch.Tensor:
    """Return min_j [D_j + (spacing (i - j))^2] along the last axis, some lines at a time."""
    length = squared.shape[-1]
    position = torch.arange(length, device=squared.device, dtype=torch.float32).mul_(spacing)
    parabolas = (position[:, None] - position).square_()
    lines = squared.reshape(-1, length)
    result = torch.empty_like(lines)
    step = max(1, _CHUNK_ELEMENTS // length**2)
    for start in range(0, len(lines), step):
        part = slice(start, start + step)
        torch.amin(lines[part, None, :] + parabolas, -1, out=result[part])
    return result.view(squared.shape)
