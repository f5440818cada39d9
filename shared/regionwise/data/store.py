"""Preprocess every case once and keep it on disk as memory-mapped arrays.

Layout: ``<cache_dir>/<case_id>-<key>/{image,label,distance,foreground}.npy + case.json``. The key is a digest of the
content of the case's files and of all settings, so that a changed file or setting makes a new folder and an unchanged
one is reused. Folders are written atomically: an interrupted run leaves no partial case behind.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from .. import __version__
from ..datasets.case import with_case_id
from ..distance import normalized_distance
from ..distributed import barrier, is_main_process
from ..errors import InputError, describe_in_one_line
from ..files import atomic_folder, content_digest, write_json
from ..options import as_path

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


def preprocess(
    data: Sequence[Mapping[str, Any]],
    transform: Callable,
    cache_dir: str | Path,
    slice_axis: int = 2,
    num_workers: int = 0,
    progress: bool = True,
) -> list[StoredCase]:
    """Run a deterministic transform once over all cases and return the stored results.

    Args:
        data: datalist; each item has ``image``, ``label`` and, unless the image file names it, ``case_id``.
        transform: gives ``image`` (C, *spatial) and ``label`` (1, *spatial), or soft labels (classes, *spatial), as
            MetaTensors on one grid.
        cache_dir: folder of the store; may be shared by runs, bundles and machines.
        slice_axis: spatial axis that is stored first, so that one slice is one contiguous read.
        num_workers: number of processes; 0 for the current one.
        progress: show a progress bar if anything has to be computed.

    Returns:
        The stored cases in the order of ``data``.

    Raises:
        InputError: If one or more cases cannot be used, or the store cannot be written; every case is listed on stderr.
    """
    settings = {
        "transform": settings_of(transform),
        "slice_axis": slice_axis,
        "versions": [__version__, monai.__version__],
    }
    if not is_main_process():
        barrier()  # the main process does the work, the others find it done
    folder, cases, missing = as_path(cache_dir, "cache_dir"), [], []
    for item in map(with_case_id, data):
        case = StoredCase(item["case_id"], folder / f"{item['case_id']}-{_key(item, settings)}")
        cases.append(case)
        if not case.folder.is_dir():
            missing.append((item, case))
    if missing:
        jobs = _Jobs(missing, transform, slice_axis)
        # A generator of its own: a loader draws a seed from the global one, and the initial weights of a network that
        # is built later would depend on whether the store was there.
        loader = DataLoader(jobs, batch_size=None, num_workers=num_workers, generator=torch.Generator())
        bar = tqdm(
            loader, desc=f"preprocessing into {cache_dir}", unit="case", disable=None if progress else True, leave=False
        )
        problems = [problem for problem in bar if problem]
        if len(problems) > 1:
            print("\n".join(f"bad case: {problem}" for problem in problems), file=sys.stderr)
            raise InputError(f"{problems[0]} (and {len(problems) - 1} more cases, listed above)")
        if problems:
            raise InputError(problems[0])
    if is_main_process():
        barrier()
    return cases


class _Jobs(Dataset):
    """The remaining cases as a dataset, so that `DataLoader` brings the processes and the orderly shutdown."""

    def __init__(self, jobs: Sequence[tuple[Mapping, StoredCase]], transform: Callable, slice_axis: int) -> None:
        self.jobs, self.transform, self.slice_axis = jobs, transform, slice_axis

    def __len__(self) -> int:
        return len(self.jobs)

    def __getitem__(self, index: int) -> str:
        item, case = self.jobs[index]
        try:
            result = self.transform(dict(item))
            write_case(case.folder, item["case_id"], result["image"], result["label"], self.slice_axis)
        except (InputError, RuntimeError, OSError, MemoryError) as error:
            problem = describe_in_one_line(error)
            if problem is None:
                raise
            # An exception of a worker process would come back as a page of traceback.
            return problem if isinstance(error, InputError | RuntimeError) else f"cannot store {case.folder}: {problem}"
        return ""


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


def _key(item: Mapping[str, Any], settings: Mapping) -> str:
    given = (item["image"], item["label"])
    files = [Path(path) for one in given for path in (one if isinstance(one, list | tuple) else [one])]
    digests = [content_digest(path) for path in files]  # first, since it says what is missing
    content = [[path.stat().st_size, digest] for path, digest in zip(files, digests, strict=True)]
    text = json.dumps([content, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
