"""MONAI dictionary transforms for custom training loops: normalized distance (d̂) as a second label channel.

The bundles do not use them: their data store holds the distance (`regionwise.data.PatchDataset`).
"""

from collections.abc import Hashable, Mapping, Sequence

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type

from .distance import normalized_distance
from .errors import InputError
from .labels import plain


class NormalizedDistanced(MapTransform):
    """Add d̂ of a label map (see `regionwise.distance.normalized_distance`) under a key of its own.

    The result has the label's affine and history, so that later spatial transforms called with both keys move both
    alike: nearest neighbor for the label, bilinear for d̂. Computed before them, d̂ is that of the whole volume.

    Args:
        keys: the label map's key, (1, *spatial) integers >= 0, 2-D or 3-D.
        output_key: key of d̂, float32 (1, *spatial).
        spacing: "affine": the voxel size in mm, from the label's affine (MetaTensor); None: voxel units; or numbers,
            one per spatial axis.
        backend: see `regionwise.distance.normalized_distance`.
        allow_missing_keys: do nothing for data without the key.

    Raises:
        InputError: If there is more than one key, or a word other than "affine".

    Examples:
        >>> import torch
        >>> from regionwise.transforms import NormalizedDistanced
        >>> data = {"label": torch.tensor([[[0, 0, 1, 1]]])}
        >>> NormalizedDistanced(spacing=None)(data)["distance"].tolist()
        [[[1.0, 0.5, 0.5, 1.0]]]
    """

    def __init__(
        self,
        keys: KeysCollection = "label",
        output_key: str = "distance",
        spacing: str | Sequence[float] | None = "affine",
        backend: str = "auto",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise InputError(f"expected the key of one label map, got {list(self.keys)}")
        if isinstance(spacing, str) and spacing != "affine":
            raise InputError(f"expected spacing 'affine', None or one number per axis, got '{spacing}'")
        self.output_key, self.spacing, self.distance_backend = output_key, spacing, backend

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        """Add d̂ to the data.

        Raises:
            InputError: If the label has another number of channels than one, or no affine where one is needed, or is
                refused by `normalized_distance`.
        """
        result = dict(data)
        for key in self.key_iterator(result):
            label = result[key]
            if label.shape[0] != 1:
                raise InputError(f"expected '{key}' with one channel (1, *spatial), got shape {tuple(label.shape)}")
            spacing = self._spacing_mm(key, label) if isinstance(self.spacing, str) else self.spacing
            array = plain(label) if isinstance(label, torch.Tensor) else label
            distance = normalized_distance(array[0], spacing, self.distance_backend)[None]
            result[self.output_key] = convert_to_dst_type(distance, label, dtype=torch.float32)[0]
        return result

    def _spacing_mm(self, key: Hashable, label: torch.Tensor) -> tuple[float, ...]:
        if not isinstance(label, MetaTensor):
            raise InputError(
                f"expected a MetaTensor with an affine under '{key}', got {type(label).__name__}; "
                "spacing=None means voxel units"
            )
        return tuple(float(size) for size in label.pixdim[: label.ndim - 1])


class StackTargetd(MapTransform):
    """Stack a label map and its d̂ into the target of a region-wise loss: float32 (2, *spatial).

    The separate d̂ is removed from the data, so that a batch does not carry it twice.

    Args:
        keys: the label map's key and that of d̂, each (1, *spatial).
        output_key: key of the target; by default that of the label, because ignite's trainers pass only
            that to the loss.

    Raises:
        InputError: If there are not two keys.
    """

    def __init__(self, keys: KeysCollection = ("label", "distance"), output_key: str = "label") -> None:
        super().__init__(keys)
        if len(self.keys) != 2:
            raise InputError(f"expected the keys of a label map and of its distance, got {list(self.keys)}")
        self.output_key = output_key

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        """Add the target to the data.

        Raises:
            InputError: If the two are not (1, *spatial) with the same spatial shape.
        """
        label, distance = (data[key] for key in self.keys)
        if label.shape != distance.shape or label.shape[0] != 1:
            raise InputError(
                f"expected '{self.keys[0]}' and '{self.keys[1]}' of one shape (1, *spatial), "
                f"got {tuple(label.shape)} and {tuple(distance.shape)}"
            )
        target = torch.cat([plain(torch.as_tensor(part)).float() for part in (label, distance)])
        rest = {key: value for key, value in data.items() if key != self.keys[1]}
        return {**rest, self.output_key: convert_to_dst_type(target, label, dtype=torch.float32)[0]}
