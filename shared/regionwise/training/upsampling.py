"""Start values of upsampling convolutions."""

from typing import TypeVar

import torch
from monai.networks.nets import DynUNet

Network = TypeVar("Network", bound=torch.nn.Module)


def even_upsampling(network: Network) -> Network:
    """Start the transposed convolutions of a DynUNet as nearest-neighbor upsampling followed by a 1 x 1 convolution.

    W[i, o, k] = W[i, o, 0] for every position k of a kernel.

    A transposed convolution whose kernel is as large as its stride has one set of weights per position of the voxels
    that it makes of one. Started at random, these disagree. A short training does not mend that everywhere and leaves
    networks that predict a checkerboard: every second row or column background inside a structure. Started alike, they
    differ only by what they learn. Weights are changed in place, so call it before an optimizer or saved weights.

    Args:
        network: the network; each DynUNet in it is changed. Networks of other types stay as they are, since they may
            come with trained weights.

    Returns:
        The same network.

    Source:
        Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017 (ICNR), there for sub-pixel convolution.

    Examples:
        >>> network = even_upsampling(DynUNet(2, 1, 2, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 8, 16]))
        >>> weight = network.upsamples[0].transp_conv.conv.weight
        >>> bool((weight == weight[:, :, :1, :1]).all())
        True
    """
    for part in network.modules():
        if isinstance(part, DynUNet):
            for layer in part.modules():
                if isinstance(layer, torch.nn.ConvTranspose2d | torch.nn.ConvTranspose3d):
                    _repeat_first_position(layer.weight)
    return network


def _repeat_first_position(weight: torch.Tensor) -> None:
    # The first position, and not the mean of all, keeps the variance of the initialization.
    first = weight.detach().flatten(2)[:, :, 0]
    with torch.no_grad():
        weight.copy_(first.reshape(*first.shape, *[1] * (weight.ndim - 2)).expand_as(weight))
