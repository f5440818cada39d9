"""Modality dropout: channels of a training sample become missing at random."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import Compose, MapTransform, RandomizableTransform

from ..errors import InputError


class DropModalitiesd(RandomizableTransform, MapTransform):
    """Make n channels of ``image`` (C, *spatial) missing, n drawn uniformly from 0 to C - 1.

    A missing channel is NaN: z-scored images have no other value that cannot be a measured one. At least one channel
    stays. `PresenceDynUNet` and `HemisDynUNet` take such images; other networks do not.

    Args:
        keys: The image.
        probability: Probability that n is drawn at all; otherwise the sample stays whole.

    Raises:
        InputError: If the probability is not in [0, 1].

    Source: Havaei et al., HeMIS (2016), section 2.2 (pseudo-curriculum left out).
    """

    def __init__(self, keys: KeysCollection = "image", probability: float = 1.0) -> None:
        if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
            raise InputError(f"expected a probability of modality dropout from 0 to 1, found {probability!r}")
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, probability)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the sample with a copy of its image; other entries are passed on."""
        result = dict(data)
        self.randomize(None)
        if self._do_transform:
            for key in self.keys:
                channels = len(result[key])
                missing = self.R.permutation(channels)[: self.R.randint(channels)]
                result[key] = without(result[key], [int(channel) for channel in missing])
        return result


def without(image: torch.Tensor, channels: list[int]) -> torch.Tensor:
    """Return a copy of an image (C, *spatial) in which some channels are missing (NaN)."""
    result = image.clone()
    result[channels] = float("nan")
    return result


def with_dropout(augmentation: Compose, probability: float = 1.0) -> Compose:
    """Return an augmentation that ends with modality dropout.

    Args:
        augmentation: Random transforms of ``image`` and ``label``, such as `regionwise.training.nnunet_augmentation`.
        probability: See `DropModalitiesd`.

    Raises:
        InputError: If the augmentation is one of whole batches.
    """
    if not isinstance(augmentation, Compose):
        raise InputError("modality dropout comes after an augmentation in the workers; pass --augmentation workers")
    return Compose([*augmentation.transforms, DropModalitiesd("image", probability)])
