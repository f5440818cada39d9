"""Which prediction belongs to which reference."""

import os
from collections.abc import Sequence
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


def case_name(path: Path) -> str:
    """Return a file's name without ``.nii`` or ``.nii.gz``."""
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name


def nifti_files(folder: str | os.PathLike) -> tuple[dict[str, Path], list[Problem]]:
    """List the NIfTI files of a folder by case name, sorted; hidden files are not looked at.

    Returns:
        The files, and a problem for each name that two files share (``a.nii`` and ``a.nii.gz``).

    Raises:
        InputError: the folder is missing or holds no NIfTI file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"expected a folder of NIfTI files at {folder}, found none")
    files: dict[str, Path] = {}
    problems = []
    for path in sorted(folder.iterdir()):
        if not path.name.endswith(SUFFIXES) or path.name.startswith("."):
            continue
        name = case_name(path)
        if name in files:
            problems.append(Problem(name, f"two files have this name: {files[name]} and {path}; remove one"))
        files[name] = path
    if not files:
        raise InputError(f"expected NIfTI files (.nii.gz, .nii) in {folder}, found none")
    doubled = {problem.case for problem in problems}
    return {name: path for name, path in files.items() if name not in doubled}, problems


def pair(predictions: dict[str, Path], references: Sequence[Case]) -> tuple[list[Case], list[Problem]]:
    """Give each reference the prediction of its name.

    Args:
        predictions: files by case name.
        references: cases whose ``prediction`` is not yet known (any path).

    Returns:
        The pairs in the order of ``references``, and a problem for each name that is on one side only.
    """
    cases, problems = [], []
    for case in references:
        if case.name in predictions:
            cases.append(Case(**{**vars(case), "prediction": predictions[case.name]}))
        else:
            problems.append(Problem(case.name, f"no prediction for the reference {case.reference}"))
    known = {case.name for case in references}
    for name, path in predictions.items():
        if name not in known:
            problems.append(Problem(name, f"no reference for the prediction {path}"))
    return cases, problems
