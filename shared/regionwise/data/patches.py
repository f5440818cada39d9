"""Datasets over the store: random patches or slices for training, whole volumes for validation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import numpy as np
import torch
from monai.data import get_track_meta, set_track_meta
from monai.transforms import Compose, Randomizable
from torch.nn.functional import pad
from torch.utils.data import Dataset, get_worker_info

from ..errors import InputError
from ..options import as_flag
from .store import StoredCase, preprocess

DISTANCES = ("precomputed", "on_the_fly")


class PatchDataset(Dataset):
    """Random patches of preprocessed cases, each a pure function of (seed, index).

    Sample ``i`` is the same in every process, whether or not the run was interrupted: resuming needs only the
    position, no random state (see `StreamSampler`). One sample reads one patch from the memory-mapped
    arrays, not a volume.

    A sample: ``image`` float32 (C, *patch_size); ``label`` float32, for ``distance="on_the_fly"`` (1, *patch_size)
    labels, for ``distance="precomputed"`` (2, *patch_size) labels and normalized distance (d̂) of the 3-D volume. Where
    the preprocessing makes soft labels, their channels stand in place of the labels. An image smaller than the patch is
    padded with zeros (background; of soft labels `regionwise.soft_labels.CompleteBackgroundd` makes it). What the
    augmentation adds to a sample comes with them.

    Args:
        data: datalist of ``regionwise.data``.
        transform: deterministic preprocessing, see `regionwise.data.store.preprocess`.
        cache_dir: folder of the store.
        patch_size: two numbers for slices, three for volumes, in the files' axis order.
        distance: ``precomputed`` once per volume in 3-D, or ``on_the_fly`` by the loss from the labels of the batch.
        augmentation: random dictionary transform of a sample; seeded per sample.
        foreground_fraction: probability that a patch is centered on a voxel of a class drawn uniformly.
        labeled_slices_only: draw the other slices from labeled ones only (the paper's setup for KiTS; 2-D only).
        slice_axis: spatial axis of the files that slices are perpendicular to.
        seed: seed of the whole stream.
        num_workers: number of processes for the preprocessing.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable,
        cache_dir: str | Path,
        patch_size: Sequence[int],
        distance: str = "precomputed",
        augmentation: Callable | None = None,
        foreground_fraction: float = 0.33,
        labeled_slices_only: bool | str = False,
        slice_axis: int = 2,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        if distance not in DISTANCES:
            raise InputError(f"expected distance 'precomputed' or 'on_the_fly', found '{distance}'")
        if len(patch_size) not in (2, 3):
            raise InputError(f"expected patch_size of two or three numbers, found {list(patch_size)}")
        self.data, self.transform = data, transform
        self.cases = preprocess(data, transform, cache_dir, stored_first(patch_size, slice_axis), num_workers)
        self.patch_size = tuple(patch_size)
        self.distance = distance
        self.augmentation = augmentation
        self.foreground_fraction = foreground_fraction
        self.labeled_slices_only = as_flag(labeled_slices_only, "labeled_slices_only") and len(patch_size) == 2
        self.seed = seed

    @property
    def contents(self) -> dict[str, str]:
        """Return case to a digest of its files' content and of its preprocessing."""
        return contents_of(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = np.random.default_rng((self.seed, index))
        case = self.cases[random.integers(len(self.cases))]
        labels = case.label
        window = self._window(case, labels.shape, random)
        image = _crop(case.image, window)
        soft = case.soft
        label = _crop(labels[None] if soft is None else soft, window)
        if self.distance == "precomputed":
            label = torch.cat([label, _crop(case.distance[None], window)])
        if len(self.patch_size) == 2:
            image, label = image[:, 0], label[:, 0]
        sample = {"image": image, "label": label}
        if self.augmentation is not None:
            _seed(self.augmentation, int(random.integers(2**32, dtype=np.uint64)))
            with _without_metadata():
                sample = self.augmentation(sample)
        tensors = {key: torch.as_tensor(sample[key]).as_subclass(torch.Tensor) for key in ("image", "label")}
        return {**sample, **tensors}

    def _window(
        self, case: StoredCase, shape: Sequence[int], random: np.random.Generator
    ) -> tuple[tuple[int, int], ...]:
        size = (1, *self.patch_size) if len(self.patch_size) == 2 else self.patch_size
        # A start may be negative where the image is smaller than the patch: the image is then centered in it.
        start = [
            int(random.integers(full - part + 1)) if full >= part else -((part - full) // 2)
            for full, part in zip(shape, size, strict=True)
        ]
        if random.random() < self.foreground_fraction and case.foreground:
            voxels = case.foreground[int(random.choice(list(case.foreground)))]
            center = voxels[random.integers(len(voxels))]
            start = [
                int(np.clip(middle - part // 2, 0, full - part)) if full >= part else first
                for middle, part, full, first in zip(center, size, shape, start, strict=True)
            ]
        elif self.labeled_slices_only and len(case.labeled_slices):
            start[0] = int(random.choice(case.labeled_slices))
        return tuple((first, first + part) for first, part in zip(start, size, strict=True))


class VolumeDataset(Dataset):
    """Whole preprocessed volumes in the files' axis order: ``image`` float32 (C, *spatial), ``label`` (1, *spatial).

    Args:
        data: datalist of ``regionwise.data``.
        transform: deterministic preprocessing, see `regionwise.data.store.preprocess`.
        cache_dir: folder of the store.
        patch_size: that of the training, so that both share the store.
        slice_axis: spatial axis of the files that slices are perpendicular to.
        num_workers: number of processes for the preprocessing.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable,
        cache_dir: str | Path,
        patch_size: Sequence[int],
        slice_axis: int = 2,
        num_workers: int = 0,
    ) -> None:
        self.data, self.transform = data, transform
        self.first = stored_first(patch_size, slice_axis)
        self.cases = preprocess(data, transform, cache_dir, self.first, num_workers)

    @property
    def contents(self) -> dict[str, str]:
        """Return case to a digest of its files' content and of its preprocessing."""
        return contents_of(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> dict[str, Any]:
        case = self.cases[index]
        return {
            "image": torch.from_numpy(case.image.astype(np.float32)).movedim(1, 1 + self.first),
            "label": torch.from_numpy(case.label[None].astype(np.float32)).movedim(1, 1 + self.first),
            "case_id": case.case_id,
        }


def stored_first(patch_size: Sequence[int], slice_axis: int) -> int:
    """Return the axis that the store puts first: the slice axis for 2-D patches, else the files' first axis."""
    return slice_axis if len(patch_size) == 2 else 0


def contents_of(cases: Sequence[StoredCase]) -> dict[str, str]:
    """Return case to the digest that names its folder in the store."""
    return {case.case_id: case.folder.name.removeprefix(f"{case.case_id}-") for case in cases}


def _crop(array: np.ndarray, window: Sequence[tuple[int, int]]) -> torch.Tensor:
    """Copy a window of (C, *spatial) as float32; what lies outside the array is zero."""
    inside = tuple(slice(max(0, first), last) for first, last in window)
    # Copied before the conversion, which in PyTorch is 20 times as fast as in NumPy for float16.
    part = torch.from_numpy(np.array(array[(slice(None), *inside)])).float()
    padding = [
        (max(0, -first), max(0, last - full)) for (first, last), full in zip(window, array.shape[1:], strict=True)
    ]
    # PyTorch counts from the last axis.
    return pad(part, [size for sides in reversed(padding) for size in sides]) if any(map(any, padding)) else part


def _seed(augmentation: Callable, seed: int) -> None:
    """Seed a random transform. `Compose.set_random_state` would reseed every one (2 ms); they share one stream."""
    if type(augmentation) is Compose:
        stream = np.random.RandomState(np.random.PCG64(seed))
        for transform in augmentation.transforms:
            if isinstance(transform, Randomizable):
                transform.set_random_state(state=stream)
    elif hasattr(augmentation, "set_random_state"):
        augmentation.set_random_state(seed=seed)


@contextmanager
def _without_metadata() -> Iterator[None]:
    """Run MONAI's transforms on plain tensors: MetaTensor bookkeeping costs as much as the work on a slice.

    MONAI has one switch per process. It is thrown only in a process of a `DataLoader` of PyTorch, where no other thread
    transforms anything.
    """
    own_process = get_worker_info() is not None and current_thread() is main_thread()
    tracked = get_track_meta()
    set_track_meta(tracked and not own_process)
    try:
        yield
    finally:
        set_track_meta(tracked)
