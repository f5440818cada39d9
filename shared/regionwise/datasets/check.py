"""Check a whole dataset before training: ``python -m regionwise check``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..files import content_digest
from ..geometry import find_grid_problems, find_value_problems
from ..nifti import Volume, read_image, read_labels
from .case import Case
from .registry import find_reader, find_subjects, to_classes


def check(dataset: str, dir: str, subset: str | None = None, strict: bool = False) -> int:
    """Read every file of a dataset and print one line per finding, then the totals.

    Errors would break or silently spoil training: a missing or damaged file, shapes or affines that differ
    within a case, labels outside the classes, shear, absurd spacing or units, NaN or infinity, an image without
    contrast, one scan under two subjects. A class that is absent from a case is only a note: real
    cases lack structures.

    Args:
        dataset: acdc, brats, kits or msd.
        dir: the dataset's folder, as downloaded.
        subset: for brats, HGG, LGG or all.
        strict: count notes as errors.

    Returns:
        The exit status: 1 if there are errors, else 0.

    Raises:
        InputError: If the dataset is unknown or the folder has another layout.
    """
    reader = find_reader(dataset)
    subjects = find_subjects(dataset, dir, subset)
    counts = {"error": 0, "note": 0}
    cases, seen = 0, []

    def report(kind: str, finding: str) -> None:
        counts[kind] += 1
        tqdm.write(f"{kind}: {finding}")

    # mininterval: a bar that is redirected to a file stays short.
    for subject in tqdm(subjects, desc=f"checking {dataset}", unit="subject", mininterval=1):
        try:
            subject_cases = reader.read_subject(subject)
        except InputError as error:
            report("error", str(error))
            continue
        for case in subject_cases:
            cases += 1
            seen.append(case)
            errors, notes = check_case(dataset, case)
            for kind, findings in (("error", errors), ("note", notes)):
                for finding in findings:
                    report(kind, finding)
    for finding in find_duplicates(seen):
        report("error", finding)
    print(f"{cases} cases of {len(subjects)} subjects: {counts['error']} errors, {counts['note']} notes")
    return int(counts["error"] > 0 or (strict and counts["note"] > 0))


def check_case(dataset: str, case: Case) -> tuple[list[str], list[str]]:
    """Read the files of one case and list their errors and notes.

    Args:
        dataset: its name, for the classes.
        case: from `read_cases`.

    Returns:
        Errors and notes (see `check`), one line each with the file.
    """
    names = find_reader(dataset).LABELS
    images = [case["image"]] if isinstance(case["image"], str) else case["image"]
    errors, volumes = [], []
    read_label_map = partial(read_labels, ndims=(3,))
    reads: list[tuple[Callable[[str], Volume], str]] = [(read_image, path) for path in images]
    reads.append((read_label_map, case["label"]))
    for read, path in reads:
        try:
            volumes.append(read(path))
        except InputError as error:
            errors.append(str(error))
    if errors:
        return errors, []
    *scans, label = volumes
    try:
        label = Volume(to_classes(dataset, label.array), label.affine, label.path)
    except InputError as error:
        errors.append(f"{error} in {label.path}")
    return errors + find_case_problems(scans, label, names), describe_empty(label, names)


def find_duplicates(cases: Iterable[Case]) -> list[str]:
    """List scans that occur under two subjects: a split would train and validate on the same patient.

    Args:
        cases: from `read_cases`; their (first) images are compared by checksum, and voxel by voxel
            where these agree.
    """
    problems: list[str] = []
    known: dict[str, tuple[str, str]] = {}
    for case in cases:
        path = case["image"] if isinstance(case["image"], str) else case["image"][0]
        twin = known.setdefault(content_digest(path), (case["subject_id"], path))
        if twin[0] != case["subject_id"] and _same_voxels(path, twin[1]):
            problems.append(f"expected one scan per subject, found the same voxels in {twin[1]} and {path}; remove one")
    return problems


def _same_voxels(path: str, other: str) -> bool:
    try:
        return np.array_equal(read_image(path).array, read_image(other).array)
    except InputError:  # reported by `check_case`
        return False


def find_case_problems(images: Sequence[Volume], label: Volume | None, classes: Mapping[int, Any]) -> list[str]:
    """List the problems that make a loaded case unfit for training or prediction.

    Args:
        images: the scan, or one 3-D volume per modality.
        label: class indices, or None for a scan alone.
        classes: the allowed class indices (its keys).

    Returns:
        One line per problem, each with the file; empty if there are none.
    """
    problems = [problem for image in images for problem in find_value_problems(image.array, image.path)]
    volumes = [*images, *([label] if label is not None else [])]
    for other in volumes[1:]:
        problems += find_grid_problems(volumes[0].grid, other.grid)
    if label is not None:
        problems += _find_label_problems(label, classes)
    return problems


def describe_empty(label: Volume, names: Mapping[int, str]) -> list[str]:
    """Return one line for each class that a label map of class indices lacks."""
    present = _values(label.array)
    return [f"no {name} (label {index}) in {label.path}" for index, name in names.items() if index not in present]


def _find_label_problems(label: Volume, classes: Mapping[int, Any]) -> list[str]:
    outside = sorted(_values(label.array) - set(classes))
    if not outside:
        return []
    listed = ", ".join(map(str, outside[:5])) + (", ..." if len(outside) > 5 else "")
    return [f"expected labels {', '.join(map(str, classes))}, found {listed} in {label.path}"]


def _values(labels: np.ndarray) -> set[int]:
    """Return the values that occur, plane by plane: `np.unique` of a whole CT needs several copies of it."""
    return {int(value) for plane in labels for value in np.unique(plane)}
