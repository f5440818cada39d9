"""Find the files of each case: folders paired by name, or the layout of a dataset."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..datasets import datalist
from ..errors import InputError
from .cases import Case, Problem, nifti_files


def find_cases(
    predictions: str | os.PathLike,
    references: str | os.PathLike,
    dataset: str | None = None,
    section: str | None = None,
    split: str | None = None,
) -> tuple[list[Case], list[Problem]]:
    """Pair a folder of predictions with references by name.

    Args:
        predictions: Folder of label maps.
        references: Folder of label maps, or the root of the dataset.
        dataset: Layout of ``references``; None: a plain folder.
        section: Part of the dataset, as `regionwise.datasets.datalist`; None: all of it.
        split: The split the part is of.

    Returns:
        The pairs, and a problem for each file without a partner or with a name that is not unique.

    Raises:
        InputError: If a folder is missing or empty, no name is on both sides, or a section is given without a dataset.
    """
    if dataset is not None:
        if split is not None and section in (None, "all"):
            raise InputError(f"--split {split} says what --section train or val is; pass --section, too")
        return pair_datalist(predictions, datalist(dataset, references, section or "all", split))
    for option, value in (("--section", section), ("--split", split)):
        if value is not None:
            raise InputError(f"{option} {value} is part of a dataset; say which one with --dataset")
    files, problems = nifti_files(references)
    return _pair(predictions, [Case(name, path, path) for name, path in files.items()], problems)


def pair_datalist(
    predictions: str | os.PathLike, cases: Sequence[Mapping[str, Any]]
) -> tuple[list[Case], list[Problem]]:
    """Pair a folder of predictions with the cases of a datalist (keys case_id, label, image, group, subject_id).

    The first image of a case is shown under its overlays.

    Raises:
        InputError: If the folder is missing or empty, or no case has a prediction.
    """
    wanted = []
    for one in cases:
        image = one.get("image")
        image = image[0] if isinstance(image, list | tuple) else image
        label = Path(one["label"])
        name, group, patient = (str(one.get(key) or "") for key in ("case_id", "group", "subject_id"))
        wanted.append(Case(name, label, label, group, Path(image) if image else None, patient=patient))
    return _pair(predictions, wanted, [])


def with_probabilities(cases: Sequence[Case], folder: str | os.PathLike) -> tuple[list[Case], list[Problem]]:
    """Give each case the probability file of its name; a case without one is a problem."""
    files, problems = nifti_files(folder)
    missing = [
        Problem(case.name, f"no probabilities in {folder}, expected {case.name}.nii.gz")
        for case in cases
        if case.name not in files
    ]
    found = [replace(case, probabilities=files[case.name]) for case in cases if case.name in files]
    return found, [*problems, *missing]


def with_images(cases: Sequence[Case], folder: str | os.PathLike) -> list[Case]:
    """Give each case the scan of its name, or of its name with nnU-Net's ``_0000``; a case may have none.

    Raises:
        InputError: If the folder is missing or empty, or holds the scan of no case.
    """
    files, _ = nifti_files(folder)
    found = [replace(case, image=files.get(case.name) or files.get(f"{case.name}_0000")) for case in cases]
    if not any(case.image for case in found):
        raise InputError(f"expected scans in {folder} named as the cases, such as {cases[0].name}.nii.gz; found none")
    return found


def _pair(
    predictions: str | os.PathLike, references: Sequence[Case], problems: Sequence[Problem]
) -> tuple[list[Case], list[Problem]]:
    predicted, more = nifti_files(predictions)
    problems = [*problems, *more]
    doubled, known = {one.case for one in problems}, {case.name for case in references}
    cases = [replace(case, prediction=predicted[case.name]) for case in references if case.name in predicted]
    if not cases:
        raise InputError(
            f"no reference has a prediction of its name in {predictions}: there are {_some(predicted)} there, "
            f"expected {_some(known)}"
        )
    for case in references:
        if case.name not in predicted and case.name not in doubled:
            problems.append(Problem(case.name, f"no prediction for the reference {case.reference}"))
    for name, path in predicted.items():
        if name not in known and name not in doubled:
            problems.append(Problem(name, f"no reference for the prediction {path}"))
    return cases, problems


def _some(names: Iterable[str]) -> str:
    known = sorted(names)
    return ", ".join(known[:3]) + (", ..." if len(known) > 3 else "") or "no usable names"
