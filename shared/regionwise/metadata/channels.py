"""Metadata as constant channels behind those of the image: so it reaches the network with any loader and engine."""

import os
from collections.abc import Hashable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..files import content_digest
from ..options import as_path
from .encoding import Encoding, check_encoding, encode
from .read import INFO, read_metadata


class AddMetadatad(MapTransform):
    """Append one channel per metadata key to ``image`` (C, *spatial); its value is the category, 0 for unknown.

    Comes last in a preprocessing: later transforms would take the channels for images.

    Args:
        keys: The image, with the path of its file under ``scan`` (see `regionwise.data.LoadCased`).
        encoding: See `regionwise.metadata.encoding.check_encoding`.
        dataset_dir: Folder whose metadata files belong to the store's key: cases stored with others are not used.

    Raises:
        InputError: If the encoding is wrong or names a leaking key, or a value has the wrong type.
    """

    def __init__(self, keys: KeysCollection, encoding: Encoding, dataset_dir: str | os.PathLike | None = None) -> None:
        super().__init__(keys)
        self.encoding = check_encoding(encoding)
        self.digest = "" if dataset_dir is None else _digest(as_path(dataset_dir, "dataset_dir").expanduser())

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the case with the channels appended."""
        result = dict(data)
        codes = encode(read_metadata(str(data["scan"])), self.encoding, str(data["scan"]))
        for key in self.keys:
            image = result[key]
            planes = torch.tensor(codes, dtype=image.dtype).reshape(-1, *[1] * (image.ndim - 1))
            joined = torch.cat([image.as_subclass(torch.Tensor), planes.expand(-1, *image.shape[1:])])
            result[key] = MetaTensor(joined, meta=image.meta, applied_operations=image.applied_operations)
        return result


def _digest(folder: Path) -> str:
    files = sorted([*folder.rglob(INFO), *folder.rglob("sub-*.json")]) if folder.is_dir() else []
    text = " ".join(f"{file.relative_to(folder)}:{content_digest(file)}" for file in files)
    return sha256(text.encode()).hexdigest()
