"""Preprocess every case once and keep it on disk as memory-mapped arrays.

Layout: ``<cache_dir>/<case_id>-<key>/{image,label,distance,foreground}.npy + case.json``. The key is a digest of the
content of the case's files and of all settings, so that a changed file or setting makes a new folder and an unchanged
one is reused. Folders are written atomically: an interrupted run leaves no partial case behind.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import monai
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from .. import __version__
from ..datasets.case import with_case_id
from ..distributed import barrier, is_main_process
from ..errors import InputError, describe_in_one_line
from ..options import as_path
from .cache_key import key_of, settings_of
from .stored_case import StoredCase, write_case

__all__ = ["StoredCase", "preprocess", "settings_of", "write_case"]


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
        case = StoredCase(item["case_id"], folder / f"{item['case_id']}-{key_of(item, settings)}")
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
