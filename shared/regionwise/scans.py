"""Scans to segment: finding them, reading them to the last byte, and files for their label maps that lose nothing."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .distributed import is_main_process
from .errors import InputError
from .geometry import find_grid_problems, find_value_problems
from .nifti import is_nifti_name, read_image, stem

WRITING = ".writing"
"""Folder in the output folder in which label maps are written; each is moved out of it when it is whole."""

STALE_SECONDS = 3600


def find_scans(input: str, modalities: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """List the scans of a file or a folder as a datalist without labels, sorted; hidden files are not looked at.

    Args:
        input: a NIfTI file, or a folder of them (not of its subfolders); with modalities, any file of a scan, a folder
            of scans, or a folder of such folders.
        modalities: endings of the files of one scan, ``<name>_<modality>.nii.gz``, in channel order.

    Returns:
        ``{"case_id": name, "image": file}``, or a list of files with modalities; a missing modality is named though it
        is not there.

    Raises:
        InputError: nothing is there, or no file fits.

    Examples:
        >>> find_scans("nowhere")
        Traceback (most recent call last):
        regionwise.errors.InputError: expected a scan or a folder of scans at 'nowhere', found nothing; pass --input
    """
    path = Path(str(input)).expanduser()
    if str(input).strip() == "" or not path.exists():
        raise InputError(f"expected a scan or a folder of scans at {str(input)!r}, found nothing; pass --input")
    files = [path] if path.is_file() else sorted(path.iterdir())
    names = [file for file in files if is_nifti_name(file) and not file.is_dir()]
    if not modalities:
        if not names:
            raise InputError(f"expected .nii.gz or .nii files at {path}, found none")
        return [{"case_id": stem(file), "image": str(file)} for file in names]
    deeper = [file for folder in files if folder.is_dir() for file in sorted(folder.iterdir()) if is_nifti_name(file)]
    parts = [(file.parent, *stem(file).rpartition("_")[::2]) for file in names or deeper]
    found = dict.fromkeys((folder, name) for folder, name, modality in parts if modality in modalities)
    if not found:
        endings = ", ".join(f"_{modality}.nii.gz" for modality in modalities)
        raise InputError(f"expected files that end in {endings} at {path}, found none")
    return [
        {"case_id": name, "image": [_existing_modality(folder, name, one) for one in modalities]}
        for folder, name in found
    ]


def _existing_modality(folder: Path, name: str, modality: str) -> str:
    candidates = [folder / f"{name}_{modality}.nii.gz", folder / f"{name}_{modality}.nii"]
    present = [file for file in candidates if file.is_file()]
    if len(present) > 1:
        raise InputError(f"expected one file, found {present[0]} and {present[1]}; move one away")
    return str((present or candidates)[0])


def find_scan_problems(image: str | Sequence[str]) -> list[str]:
    """Read a scan to its last byte and list what makes it unfit (see `regionwise.geometry`).

    Args:
        image: its file, or one file per modality.
    """
    problems, first = [], None
    for path in [image] if isinstance(image, str) else image:
        try:
            volume = read_image(path)
        except InputError as error:
            problems.append(str(error))
            continue
        problems += find_value_problems(volume.array, volume.path)
        first = first or volume.grid
        problems += find_grid_problems(first, volume.grid)
    return problems


class CheckedScans:
    """Scans that can be segmented, after reading each to its last byte; what is wrong with the others is printed.

    A scan that cannot be segmented does not stop the others: it is named at once on stderr, and `finish` ends the run
    with an error.

    Args:
        found: from `find_scans`.
        find_problems: Lists what makes the file or files of a scan unfit.

    Attributes:
        usable: the datalist of the scans that can be segmented.
        problems: a line for each other scan.

    Raises:
        InputError: None can be segmented.
    """

    def __init__(
        self, found: Sequence[dict[str, Any]], find_problems: Callable[[Any], list[str]] = find_scan_problems
    ) -> None:
        self.total = len(found)
        self.usable: list[dict[str, Any]] = []
        self.problems: list[str] = []
        for scan in found:
            problems = find_problems(scan["image"])
            if problems:
                self.skip(problems[0])
            else:
                self.usable.append(scan)
        if not self.usable:
            self.finish()

    def skip(self, problem: str) -> None:
        """Note why a scan is not segmented."""
        self.problems.append(problem)
        if self.total > 1 and is_main_process():
            print(f"not segmented: {problem}", file=sys.stderr)

    def finish(self) -> None:
        """Raise if a scan was not segmented.

        Raises:
            InputError: its reason, or how many there are and the first.
        """
        if self.problems and self.total == 1:
            raise InputError(self.problems[0])
        if self.problems:
            raise InputError(
                f"{len(self.problems)} of {self.total} scans were not segmented, first: {self.problems[0]}"
            )


def check_outputs(scans: Sequence[dict[str, Any]], outputs: Sequence[Path], overwrite: bool = False) -> None:
    """Raise where writing the outputs would lose a file.

    Args:
        scans: from `find_scans`.
        outputs: the file of each scan's label map.
        overwrite: whether the outputs of an earlier run may be replaced; an input never is.

    Raises:
        InputError: two scans have the same output, it is an input, or it exists and ``overwrite`` is not given.
    """
    sources: dict[Path, str] = {}
    inputs: dict[tuple[int, int], str] = {}
    for scan, output in zip(scans, outputs, strict=True):
        files = image_files(scan)
        inputs |= {_identity(file): file for file in files if Path(file).exists()}
        if output in sources:
            raise InputError(f"{sources[output]} and {files[0]} would both be written to {output}; rename one")
        sources[output] = files[0]
    existing = [output for output in outputs if output.exists()]
    for output in existing:
        if _identity(output) in inputs:
            source = inputs[_identity(output)]
            raise InputError(f"the label map would overwrite the scan {source}; pass another --output_dir")
    if existing and not overwrite:
        raise InputError(
            f"{existing[0]} exists ({len(existing)} of {len(outputs)} outputs do); pass another --output_dir, "
            "or --overwrite true"
        )


def image_files(scan: Mapping[str, Any]) -> list[str]:
    """Return the files of a scan, one per modality that is there.

    Args:
        scan: an item of a datalist; "" stands for a modality that is missing.

    Examples:
        >>> image_files({"case_id": "a", "image": "a.nii.gz"})
        ['a.nii.gz']
    """
    image = scan["image"]
    return [str(file) for file in image if file] if isinstance(image, list | tuple) else [str(image)]


def check_folder(folder: object) -> Path:
    """Return a folder that can be written to, made or not, after removing what killed runs left in it.

    A number is a name too: the runner turns ``--output_dir 2026`` into one.

    Raises:
        InputError: it is no path, a file is in its place, or it cannot be written to.

    Examples:
        >>> check_folder(2026).name
        '2026'
    """
    if isinstance(folder, bool) or not isinstance(folder, str | int | os.PathLike) or not str(folder).strip():
        raise InputError(f"expected --output_dir to name a folder, found {folder!r}")
    path = Path(str(folder))  # as MONAI's writer takes it: "~" is a name
    nearest = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise InputError(f"expected a folder for the label maps, found the file {nearest}; pass another --output_dir")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"cannot write to the folder {nearest}; pass another --output_dir")
    for leftover in (path / WRITING).glob("*") if path.is_dir() else ():
        if time.time() - leftover.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    return path


def _identity(path: str | os.PathLike) -> tuple[int, int]:
    """Return what two names of one file share."""
    status = Path(path).stat()
    return status.st_dev, status.st_ino
