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
    """Return a DynUNet's weights without its deep-supervision heads, as the network without them names its weights.

    The heads are there twice (as modules of the network and inside the skip layers); DistributedDataParallel and
    ``torch.compile`` add a prefix.
    """
    weights = {}
    for name, value in state_dict.items():
        name = name.removeprefix("module.").removeprefix("_orig_mod.")
        if not name.startswith("deep_supervision_heads.") and ".super_head." not in name:
            weights[name] = value.detach().cpu()
    return weights


def load_checkpoint(path: str | os.PathLike) -> Any:
    """Read a checkpoint with ``weights_only=True`` (tensors and plain values; no code can run).

    Raises:
        InputError: the file is missing, damaged, or holds pickled objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a checkpoint at {path}, found none; train first or pass --checkpoint FILE")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{path} is not a readable checkpoint of tensors ({reason})") from error


def load_weights(network: nn.Module, path: str | os.PathLike) -> nn.Module:
    """Load weights strictly and return the network.

    Raises:
        InputError: as `load_checkpoint`, or names or shapes differ; the line counts them and shows the first.
    """
    content = load_checkpoint(path)
    weights = content.get("network", content) if isinstance(content, Mapping) else content
    if not isinstance(weights, Mapping) or not all(torch.is_tensor(value) for value in weights.values()):
        raise InputError(f"expected the weights of a network in {path}, found {type(content).__name__}")
    problem = mismatch(network.state_dict(), inference_weights(weights))
    if problem:
        raise InputError(
            f"the checkpoint {path} does not fit the network: {problem}; "
            "pass the run's network settings with --args_file RUN/network.json"
        )
    network.load_state_dict(inference_weights(weights))
    return network


def mismatch(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> str:
    """Say in a few words how two state dicts differ in names or shapes ("" where they do not)."""
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
