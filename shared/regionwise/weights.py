"""Read network weights safely: tensors only, strictly matched, without deep-supervision heads."""

import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .errors import InputError

# What torch.load raises for bytes that are no checkpoint: its unpickler looks things up in what it has read so far.
UNREADABLE = (
    OSError,  # PyTorch's reader meets the end of a truncated file
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    EOFError,
    struct.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def inference_weights(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights that inference needs, named as the network without deep supervision names them.

    A DynUNet loses its deep-supervision heads, which it holds twice (as modules of its own and inside the skip layers);
    any other network keeps all weights. The prefixes of DistributedDataParallel and ``torch.compile`` go.
    """
    weights = {name.removeprefix("module.").removeprefix("_orig_mod."): value for name, value in state_dict.items()}
    heads = "deep_supervision_heads."
    if any(name.startswith(heads) for name in weights):
        weights = {
            name: value for name, value in weights.items() if not name.startswith(heads) and ".super_head." not in name
        }
    return {name: value.detach().cpu() for name, value in weights.items()}


def load_checkpoint(path: str | os.PathLike) -> Any:
    """Read a checkpoint with ``weights_only=True`` (tensors and plain values; no code can run).

    Raises:
        InputError: If the file is missing, damaged, or holds pickled objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a checkpoint at {path}, not found; train first or pass --checkpoint FILE")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{path} is not a readable checkpoint of tensors ({reason})") from error


def load_weights(network: nn.Module, path: str | os.PathLike) -> nn.Module:
    """Load weights strictly and return the network.

    Raises:
        InputError: As in `load_checkpoint`, if a value is not finite, or if names or shapes differ; the line counts
            them and shows the first.
    """
    weights = inference_weights(_finite_weights(path, "network"))
    _check_fit(network, weights, path)
    network.load_state_dict(weights)
    return network


def check_weights(network: nn.Module, path: str | os.PathLike) -> None:
    """Raise where MONAI's `CheckpointLoader` cannot load a file into a network, or should not.

    Args:
        network: the network of the inference.
        path: names to tensors, or such a mapping under ``model``.

    Raises:
        InputError: As in `load_weights`.
    """
    _check_fit(network, _finite_weights(path, "model"), path)


def _finite_weights(path: str | os.PathLike, key: str) -> Mapping[str, torch.Tensor]:
    content = load_checkpoint(path)
    weights = content.get(key, content) if isinstance(content, Mapping) else content
    if not isinstance(weights, Mapping) or not all(torch.is_tensor(value) for value in weights.values()):
        raise InputError(f"expected the weights of a network in {path}, found {type(content).__name__}")
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise InputError(
            f"expected finite weights in {path}, found NaN or infinity in {len(broken)} of {len(weights)}, first "
            f"{broken[0]}; train again or take another checkpoint"
        )
    return weights


def _check_fit(network: nn.Module, weights: Mapping[str, torch.Tensor], path: str | os.PathLike) -> None:
    problem = mismatch(network.state_dict(), weights)
    if problem:
        raise InputError(
            f"the checkpoint {path} does not fit the network: {problem}; "
            "pass the run's network settings with --args_file RUN/network.json"
        )


def mismatch(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> str:
    """Describe in a few words how two state dicts differ in names or shapes ("" if they do not)."""
    shapes = [name for name in expected if name in found and expected[name].shape != found[name].shape]
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if shapes:
        first = shapes[0]
        return (
            f"{len(shapes)} weights differ in shape, first {first}: expected {tuple(expected[first].shape)}, "
            f"found {tuple(found[first].shape)}"
        )
    if missing or unknown:
        first = missing[0] if missing else unknown[0]
        return f"{len(missing)} weights are missing and {len(unknown)} unknown, first {first}"
    return ""
