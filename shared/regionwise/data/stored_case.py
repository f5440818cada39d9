"""One preprocessed case on disk: memory-mapped arrays, written atomically."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..distance import normalized_distance
from ..errors import InputError
from ..files import atomic_folder, write_json

FOREGROUND_VOXELS_PER_CLASS = 10_000  # as nnU-Net: enough to sample from, small enough to read at once


@dataclass(frozen=True)
class StoredCase:
    """One preprocessed case; its arrays are memory-mapped.

    Attributes:
        case_id: the case's name in its dataset.
        folder: folder of its arrays.
    """

    case_id: str
    folder: Path

    @property
    def image(self) -> np.ndarray:
        """Return the image, float16 (C, *spatial), slice axis first."""
        return self._map("image")

    @property
    def label(self) -> np.ndarray:
        """Return the labels, uint8 (*spatial), slice axis first."""
        return self._map("label")

    @property
    def soft(self) -> np.ndarray | None:
        """Return soft labels, float16 (classes, *spatial), slice axis first; None if the preprocessing made none."""
        return self._map("soft") if self._has_soft else None

    @cached_property
    def _has_soft(self) -> bool:
        return (self.folder / "soft.npy").is_file()

    @property
    def distance(self) -> np.ndarray:
        """Return the normalized distance of the 3-D labels, float16 (*spatial), slice axis first."""
        return self._map("distance")

    @cached_property
    def _layouts(self) -> dict[str, dict[str, Any]]:
        return {}

    def _map(self, name: str) -> np.memmap:
        # Opened anew each time, since an open map holds a file descriptor. NumPy takes four times as long to parse the
        # header as to map the file: once per array is enough.
        path = f"{self.folder}/{name}.npy"
        if name not in self._layouts:
            array = np.load(path, mmap_mode="r")
            self._layouts[name] = {"dtype": array.dtype, "shape": array.shape, "offset": array.offset}
            return array
        return np.memmap(path, mode="r", **self._layouts[name])

    @cached_property
    def foreground(self) -> dict[int, np.ndarray]:
        """Return, for each class that is present, a sample of its voxels, int32 (n, 3)."""
        rows = np.load(self.folder / "foreground.npy")
        return {int(label): rows[rows[:, 0] == label, 1:] for label in np.unique(rows[:, 0])}

    @cached_property
    def labeled_slices(self) -> np.ndarray:
        """Return the indices of the slices that hold a label, int32 (n,)."""
        return np.load(self.folder / "labelled_slices.npy")


def write_case(folder: Path, case_id: str, image: Any, label: Any, slice_axis: int) -> None:
    """Write one preprocessed case (atomically) with its distances and its foreground sample.

    Args:
        folder: the case's folder in the store.
        case_id: seeds the foreground sample.
        image: MetaTensor (C, *spatial).
        label: MetaTensor (1, *spatial) of integers, or soft labels (classes, *spatial), which are kept beside the most
            probable classes; distance and foreground sample are those of the classes.
        slice_axis: spatial axis to store first.

    Raises:
        InputError: If the label has the integer channels of several raters.
    """
    if len(label) > 1 and not label.is_floating_point():
        raise InputError(
            f"expected one label map of {case_id}, found {len(label)}, of several raters; "
            "regionwise.fusion.FuseRatersd in the preprocessing makes them one"
        )
    spacing_mm = [float(size) for size in np.asarray(label.pixdim)]
    order = [slice_axis] + [axis for axis in range(3) if axis != slice_axis]
    hard = label[0] if len(label) == 1 else label.argmax(0)
    labels = np.ascontiguousarray(np.asarray(hard).astype(np.uint8).transpose(order))
    spacing_mm = [spacing_mm[axis] for axis in order]
    distance = normalized_distance(labels, spacing=spacing_mm)
    with atomic_folder(folder) as temporary:
        channels = (np.asarray(channel).transpose(order) for channel in image)
        _save(temporary / "image.npy", channels, np.float16, (image.shape[0], *labels.shape))
        arrays: dict[str, np.ndarray] = {
            "label": labels,
            "distance": distance.astype(np.float16),
            "foreground": _foreground_sample(labels, case_id),
            "labelled_slices": np.flatnonzero(labels.any(axis=(1, 2))).astype(np.int32),
        }
        if len(label) > 1:
            soft = (np.asarray(channel).transpose(order) for channel in label)
            _save(temporary / "soft.npy", soft, np.float16, (len(label), *labels.shape))
        for name, array in arrays.items():
            _save(temporary / f"{name}.npy", [array], array.dtype, array.shape)
        write_json(
            temporary / "case.json",
            {"case_id": case_id, "shape": list(labels.shape), "spacing_mm": spacing_mm, "slice_axis": slice_axis},
        )


def _save(path: Path, parts: Iterable[np.ndarray], dtype: type | np.dtype, shape: Sequence[int]) -> None:
    """Write an array as .npy, part by part along its first axis, by plain writes.

    On a full disk a write is an error; a write through a memory map kills the process, and NumPy's own leaves out why.
    """
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": tuple(shape)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data)


def _foreground_sample(labels: np.ndarray, case_id: str) -> np.ndarray:
    random = np.random.default_rng(list(case_id.encode()))
    rows = []
    flat = labels.reshape(-1)
    for label in np.unique(labels):
        if label == 0:
            continue
        voxels = np.flatnonzero(flat == label)
        if voxels.size > FOREGROUND_VOXELS_PER_CLASS:
            voxels = np.sort(random.choice(voxels, FOREGROUND_VOXELS_PER_CLASS, replace=False))
        index = np.stack(np.unravel_index(voxels, labels.shape), axis=1)
        rows.append(np.column_stack([np.full(len(index), label), index]))
    return np.concatenate(rows).astype(np.int32) if rows else np.zeros((0, 4), np.int32)
