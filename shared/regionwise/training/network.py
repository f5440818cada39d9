"""What a DynUNet's geometry implies for its loss."""

from collections.abc import Sequence
from math import prod


def level_strides(upsampling: Sequence[int | Sequence[int]]) -> list[int | list[int]]:
    """Return how much coarser each supervised decoder level is than the first.

    stride_l = prod_{k < l} upsampling_k, for all decoder levels but the lowest, which nnU-Net leaves out.

    Args:
        upsampling: DynUNet's ``upsample_kernel_size``, the step between the two finest levels first; a number for all
            axes or one per axis.

    Returns:
        ``len(upsampling) - 1`` strides in the form of ``upsampling``, the full resolution (1) first.
    """
    if all(isinstance(step, int) for step in upsampling):
        return [prod(upsampling[:level]) for level in range(len(upsampling) - 1)]
    axes = [level_strides(steps) for steps in zip(*upsampling, strict=True)]
    return [list(strides) for strides in zip(*axes, strict=True)]
