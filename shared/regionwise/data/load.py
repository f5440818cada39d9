"""Read a case of a datalist into channel-first MetaTensors, refusing what cannot be trained on."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..errors import InputError
from ..nifti import Volume, read_image, read_labels
from .datasets import LABELS, to_classes

AFFINE_TOLERANCE_MM = 1e-3


class LoadCased(MapTransform):
    """Read ``image`` (one file, or one per channel) and ``label`` of a case.

    It stands for `LoadImaged` + `EnsureChannelFirstd` where data are not trusted yet: every error is one line that
    names the file. In: paths; out: MetaTensor float32 (C, *spatial) and MetaTensor uint8 (1, *spatial), both in file
    order with the file's affine, and ``scan``, the path of the first channel.

    Args:
        keys: which of ``image`` and ``label`` to read.
        dataset: its name; labels are turned into its class indices, and one outside them is an error.

    Raises:
        InputError: a file is missing or damaged, shapes or affines of a case differ, a label is outside the classes,
            or a voxel is not finite.
    """

    def __init__(self, keys: KeysCollection = ("image", "label"), dataset: str = "msd") -> None:
        super().__init__(keys)
        self.dataset = dataset

    def __call__(self, data: Mapping[Hashable, object]) -> dict[Hashable, object]:
        case = dict(data)
        volumes: list[Volume] = []
        if "image" in self.keys:
            paths = case["image"] if isinstance(case["image"], list | tuple) else [case["image"]]
            channels = [_finite(read_image(path)) for path in paths]
            volumes += channels
            _check_same_grid(volumes)
            array = channels[0].array[None] if len(channels) == 1 else np.stack([c.array for c in channels])
            case["scan"] = str(paths[0])
            case["image"] = MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(channels[0].affine))
        if "label" in self.keys:
            volume = read_labels(case["label"])
            _check_same_grid([*volumes, volume])
            labels = self._mapped(volume)
            case["label"] = MetaTensor(torch.from_numpy(labels[None]), affine=torch.from_numpy(volume.affine))
        return case

    def _mapped(self, volume: Volume) -> np.ndarray:
        try:
            labels = to_classes(self.dataset, volume.array)
        except InputError as error:
            raise InputError(f"{volume.path}: {error}") from error
        highest = max(LABELS[self.dataset])
        if labels.size and labels.max() > highest:
            raise InputError(
                f"expected labels 0..{highest} of {self.dataset} in {volume.path}, found {labels.max()}; "
                "is it another dataset, or are its labels coded differently?"
            )
        return labels


def _finite(volume: Volume) -> Volume:
    if volume.array.ndim != 3:
        raise InputError(f"expected a 3-D image in {volume.path}, found shape {volume.array.shape}")
    if not np.isfinite(volume.array).all():
        count = int((~np.isfinite(volume.array)).sum())
        raise InputError(f"expected finite intensities in {volume.path}, found {count} NaN or infinite voxels")
    return volume


def _check_same_grid(volumes: Sequence[Volume]) -> None:
    first = volumes[0]
    for other in volumes[1:]:
        if other.array.shape != first.array.shape:
            raise InputError(
                f"expected one shape per case, found {first.array.shape} in {first.path} "
                f"and {other.array.shape} in {other.path}"
            )
        if not np.allclose(other.affine, first.affine, atol=AFFINE_TOLERANCE_MM):
            raise InputError(
                f"expected one geometry per case: the affines of {first.path} and {other.path} differ by up to "
                f"{np.abs(other.affine - first.affine).max():.3g} mm; resample one onto the other"
            )
