"""Cases (a prediction and its reference) and the folders they lie in."""

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..nifti import is_nifti_name, stem


@dataclass(frozen=True)
class Case:
    """A prediction and its reference.

    Attributes:
        name: Name in tables.
        prediction: Label map to evaluate.
        reference: Label map to compare it with (the ground truth).
        group: Subgroup that is also reported separately, such as "ED"; "" for none.
        image: Scan, shown under the overlays; optional.
        probabilities: Class probabilities, (*spatial, classes) with the background first; optional.
        patient: Patient of the case, if several cases (frames) can belong to one; "" if unknown.
    """

    name: str
    prediction: Path
    reference: Path
    group: str = ""
    image: Path | None = None
    probabilities: Path | None = None
    patient: str = ""


@dataclass(frozen=True)
class Problem:
    """A case that cannot be evaluated, and why, in one line."""

    case: str
    reason: str


def nifti_files(folder: str | os.PathLike) -> tuple[dict[str, Path], list[Problem]]:
    """List the NIfTI files of a folder by name without suffix, sorted; hidden files are left out.

    Returns:
        The files, and a problem for each name that two files share (``a.nii`` and ``a.nii.gz``) or that is not UTF-8.

    Raises:
        InputError: If the folder is missing or holds no NIfTI file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"expected a folder of NIfTI files at {folder}, not found")
    by_name: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if is_nifti_name(path):
            by_name.setdefault(stem(path), []).append(path)
    if not by_name:
        raise InputError(f"expected NIfTI files (.nii.gz, .nii) in {folder}, found none")
    problems = [
        Problem(name, f"{len(paths)} files have this name in {folder}: {', '.join(path.name for path in paths)}")
        for name, paths in by_name.items()
        if len(paths) > 1
    ]
    problems += [
        Problem(printable(name), f"the name of a file in {folder} is not UTF-8; rename it")
        for name in by_name
        if name != printable(name)
    ]
    bad = {one.case for one in problems}
    return {name: paths[0] for name, paths in by_name.items() if printable(name) not in bad}, problems


def printable(text: str) -> str:
    """Escape what cannot be written as UTF-8 (bytes of a file name in another encoding)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
