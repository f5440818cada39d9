"""MONAI dictionary transform that fuses several raters' label maps."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type

from ..errors import InputError, did_you_mean
from .methods import METHODS, fuse_raters


class FuseRatersd(MapTransform):
    """Fuse the label maps of several raters (K, *spatial) into one (1, *spatial), or into soft labels (C, *spatial).

    MONAI's `LoadImaged` reads a list of files into such channels. "random" draws one rater per case and epoch, so that
    all slices of a volume come from one person: call `set_epoch` at the start of each epoch (a `DataLoader` with
    persistent workers keeps the copies that it has: make it without), and place it after any cache.

    Args:
        keys: the raters' label maps.
        method: see `regionwise.fusion.fuse_raters`.
        num_classes: C, for "average".
        seed: for "random".
        id_key: key of the case's name, for "random".
        allow_missing_keys: do nothing for data without the key.

    Raises:
        InputError: If the method is unknown, "average" has no num_classes, or a case has no name for "random".

    Examples:
        >>> import numpy as np
        >>> from regionwise.fusion import FuseRatersd
        >>> raters = np.array([[[0, 1, 1]], [[0, 0, 1]], [[0, 0, 2]]])  # three people, an image of 1 x 3
        >>> FuseRatersd("label")({"label": raters})["label"].tolist()
        [[[0, 0, 1]]]
    """

    def __init__(
        self,
        keys: KeysCollection = "label",
        method: str = "majority",
        num_classes: int | None = None,
        seed: int = 0,
        id_key: str = "case_id",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if method not in METHODS:
            raise InputError(f"Unknown fusion method '{method}'; {did_you_mean(method, METHODS)}")
        if method == "average" and num_classes is None:
            raise InputError("expected num_classes with method 'average': cases differ in the labels that they hold")
        self.method, self.num_classes, self.seed, self.id_key = method, num_classes, seed, id_key
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the number of finished epochs, which "random" draws with."""
        self.epoch = epoch

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Fuse the maps under each key; the result has the type and metadata of the input."""
        result = dict(data)
        if self.method == "random" and self.id_key not in result:
            raise InputError(f"expected the case's name under '{self.id_key}', to draw its rater by")
        for key in self.key_iterator(result):
            maps = result[key]
            array = np.asarray(maps.cpu() if isinstance(maps, torch.Tensor) else maps)
            spacing = tuple(map(float, maps.pixdim)) if isinstance(maps, MetaTensor) else None
            name = str(result.get(self.id_key, ""))
            fused = fuse_raters(array, self.method, self.num_classes, spacing, name, self.epoch, self.seed)
            fused = fused if self.method == "average" else fused[None]
            result[key] = convert_to_dst_type(fused, maps, dtype=fused.dtype)[0]
        return result
