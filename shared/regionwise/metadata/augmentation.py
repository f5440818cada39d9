"""Augmentation of the image alone: channels of metadata are set aside and put back."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Compose, Transform

from ..errors import InputError
from .encoding import Encoding

_ASIDE = "metadata"


class _SetAside(Transform):
    def __init__(self, channels: int) -> None:
        self.channels = channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data["image"]
        return {**data, "image": image[: -self.channels], _ASIDE: image[-self.channels :]}


class _PutBack(Transform):
    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        # One value per channel: what pads a patch is 0, so that the largest is the category.
        codes = data[_ASIDE].flatten(1).amax(1)
        image = data["image"]
        planes = codes.reshape(-1, *[1] * (image.ndim - 1)).expand(-1, *image.shape[1:])
        return {**data, "image": torch.cat([image, planes.to(image.dtype)])}


def past_metadata(augmentation: Compose, encoding: Encoding) -> Compose:
    """Return an augmentation that leaves the channels of metadata alone.

    Args:
        augmentation: Random transforms of ``image`` and ``label``, such as `regionwise.training.nnunet_augmentation`.
        encoding: What the channels hold, one per key.

    Raises:
        InputError: If the augmentation is one of whole batches.
    """
    if not isinstance(augmentation, Compose):
        raise InputError("metadata are set aside by an augmentation in the workers; pass --augmentation workers")
    return Compose([_SetAside(len(encoding)), *augmentation.transforms, _PutBack()])
