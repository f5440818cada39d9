"""Calibration written into the weights of a network's last layer, so that any tool that runs it has it."""

from collections.abc import Mapping

import torch

from ..errors import InputError
from .scaling import Scaling

OUTPUT_LAYER = "output_block.conv.conv"
"""DynUNet's last layer."""


def scale_weights(
    weights: Mapping[str, torch.Tensor], scaling: Scaling, layer: str = OUTPUT_LAYER
) -> dict[str, torch.Tensor]:
    """Scale the last layer, a convolution z = W x + b: W / temperature and (b - shift) / temperature, per class.

    The network then gives scaled logits wherever it runs: with MONAI alone, as TorchScript or ONNX.

    Args:
        weights: State dict.
        scaling: The calibration.
        layer: Name of the convolution that gives the logits.

    Returns:
        A new state dict; other weights are the same tensors.

    Raises:
        InputError: If there is no such layer, or it has another number of outputs.
    """
    classes = len(scaling.temperature)
    names = (f"{layer}.weight", f"{layer}.bias")
    if not all(name in weights for name in names):
        choices = [name.removesuffix(".bias") for name, one in weights.items() if name.endswith(".bias")]
        fitting = [name for name in choices if len(weights[f"{name}.bias"]) == classes]
        raise InputError(
            f"there is no layer '{layer}' with weight and bias; pass --output_layer, "
            f"of those with {classes} outputs: {', '.join(fitting) or 'none'}"
        )
    weight, bias = (weights[name] for name in names)
    if len(bias) != classes:
        raise InputError(f"expected {classes} outputs of layer '{layer}', as calibrated, found {len(bias)}")
    temperature, shift = (torch.tensor(values, dtype=torch.float64) for values in (scaling.temperature, scaling.shift))
    shape = (-1, *[1] * (weight.ndim - 1))
    return dict(weights) | {
        names[0]: (weight.double() / temperature.reshape(shape)).to(weight.dtype),
        names[1]: ((bias.double() - shift) / temperature).to(bias.dtype),
    }
