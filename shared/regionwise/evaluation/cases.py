"""A prediction and its reference, and the folders they lie in."""

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

SUFFIXES = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Case:
    """A prediction and its reference.

    Attributes:
        name: what tables call it.
        prediction: label map to judge.
        reference: label map to judge it by.
        group: part of the data that is reported by itself, such as "ED"; "" for none.
        image: the scan, shown under the overlays; optional.
        probabilities: class probabilities, (*spatial, classes) with the background first; optional.
    """

    name: str
    prediction: Path
    reference: Path
    group: str = ""
    image: Path | None = None
    probabilities: Path | None = None


@dataclass(frozen=True)
class Problem:
    """A case that cannot be evaluated, and why, in one line."""

    case: str
    reason: str


def nifti_files(folder: str | os.PathLike) -> tuple[dict[str, Path], list[Problem]]:
    """List the NIfTI files of a folder by name without suffix, sorted; hidden files are not looked at.

    Returns:
        The files, and a problem for each name that two files share (``a.nii`` and ``a.nii.gz``).

    Raises:
        InputError: the folder is missing or holds no NIfTI file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"expected a folder of NIfTI files at {folder}, found none")
    by_name: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.endswith(SUFFIXES) and not path.name.startswith("."):
            by_name.setdefault(path.name.removesuffix(".gz").removesuffix(".nii"), []).append(path)
    if not by_name:
        raise InputError(f"expected NIfTI files (.nii.gz, .nii) in {folder}, found none")
    problems = [
        Problem(name, f"{len(paths)} files have this name in {folder}: {', '.join(path.name for path in paths)}")
        for name, paths in by_name.items()
        if len(paths) > 1
    ]
    return {name: paths[0] for name, paths in by_name.items() if len(paths) == 1}, problems
