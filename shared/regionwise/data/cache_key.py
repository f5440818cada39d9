"""What a preprocessed case depends on, as a short text: the content of its files and all settings."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..files import content_digest


def settings_of(value: Any) -> Any:
    """Describe a transform (or any value) as JSON: class names and public attributes, without random state.

    Raises:
        TypeError: If a value has no description that is the same in every process.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): settings_of(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, list | tuple):
        return [settings_of(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((settings_of(item) for item in value), key=str)  # a set has another order in each process
    if isinstance(value, np.ndarray | torch.Tensor):
        return np.asarray(value).tolist()
    if isinstance(value, np.generic | torch.dtype | np.dtype):
        return str(value)
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, np.random.RandomState):
        return None
    if hasattr(value, "__dict__"):
        public = {name: item for name, item in vars(value).items() if not name.startswith("_")}
        return {type(value).__qualname__: settings_of(public)}
    raise TypeError(f"no stable description of {value!r}")


def key_of(item: Mapping[str, Any], settings: Mapping) -> str:
    """Return the digest of a case's files and of the settings: 16 hexadecimal digits.

    Args:
        item: of a datalist, with ``image`` and ``label``: a file each, or a list of files.
        settings: as JSON, see `settings_of`.

    Raises:
        InputError: If a file is missing.
    """
    given = (item["image"], item["label"])
    files = [Path(path) for one in given for path in (one if isinstance(one, list | tuple) else [one])]
    digests = [content_digest(path) for path in files]  # first, since it says what is missing
    content = [[path.stat().st_size, digest] for path, digest in zip(files, digests, strict=True)]
    text = json.dumps([content, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
