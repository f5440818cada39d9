"""Strides and supervised levels of a DynUNet, from its upsampling."""

from collections.abc import Sequence
from math import prod

Step = int | Sequence[int]


def encoder_strides(upsampling: Sequence[Step]) -> list[Step]:
    """Return the strides of the encoder: 1 at full resolution, then one per upsampling step.

    Args:
        upsampling: DynUNet's ``upsample_kernel_size``, the step between the two finest levels first; a number for all
            axes or one per axis.

    Examples:
        >>> encoder_strides([2, 2, [2, 1]])
        [1, 2, 2, [2, 1]]
    """
    return [1, *upsampling]


def level_strides(upsampling: Sequence[Step]) -> list[Step]:
    """Return how much coarser each supervised decoder level is than the first.

    stride_l = prod_{k < l} upsampling_k, for all decoder levels but the lowest, which nnU-Net leaves out.

    Args:
        upsampling: see `encoder_strides`.

    Returns:
        ``len(upsampling) - 1`` strides, the full resolution (1) first: numbers, or one per axis where any step has one
        per axis.

    Examples:
        >>> level_strides([2, 2, 2])
        [1, 2]
    """
    axes = max((len(step) for step in upsampling if not isinstance(step, int)), default=0)
    if not axes:
        numbers = [step for step in upsampling if isinstance(step, int)]
        return [prod(numbers[:level]) for level in range(len(upsampling) - 1)]
    steps = [[step] * axes if isinstance(step, int) else step for step in upsampling]
    per_axis = [level_strides(one) for one in zip(*steps, strict=True)]
    return [list(strides) for strides in zip(*per_axis, strict=True)]


def count_supervised(upsampling: Sequence[Step]) -> int:
    """Return DynUNet's ``deep_supr_num``: its supervised levels besides the full resolution.

    Args:
        upsampling: see `encoder_strides`.

    Examples:
        >>> count_supervised([2, 2, 2])
        1
    """
    return len(level_strides(upsampling)) - 1
