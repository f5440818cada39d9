"""Check a whole dataset before training: ``python -m regionwise check``."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..files import content_digest, find_write_problem, write_json
from ..geometry import find_grid_problems, find_value_problems
from ..nifti import Volume, read_header, read_image, read_labels
from .case import Case
from .registry import find_readable_cases, find_reader, find_subjects, to_classes
from .splits import split_cases


def check(
    dataset: str,
    dir: str,
    subset: str | None = None,
    strict: bool = False,
    skip_bad: str | None = None,
    split: str | None = None,
    fold: int = 0,
    folds: int = 4,
    seed: int = 0,
) -> int:
    """Read every file of a dataset and print one line per finding, then the totals.

    Errors would break or silently spoil training: a missing or damaged file, shapes or affines that differ
    within a case, labels outside the classes, shear, absurd spacing or units, NaN or infinity, an image without
    contrast, one scan under two subjects. Notes are a class that is absent from a case, since real cases lack
    structures, and scans that are stored in an orientation of their own: networks see the axes as they are stored.

    Args:
        dataset: acdc, brats, kits or msd.
        dir: the dataset's folder, as downloaded.
        subset: for brats, HGG, LGG or all.
        strict: count notes as errors.
        skip_bad: JSON file to write the split without the subjects with errors to; training and evaluation use the
            others with ``--split FILE``.
        split: with ``skip_bad``, the split to leave them out of: paper, kfold or a JSON file; by default the dataset's
            own.
        fold: fold of kfold.
        folds: number of folds of kfold.
        seed: seed of kfold.

    Returns:
        The exit status: 1 if there are errors, else 0.

    Raises:
        InputError: If the dataset is unknown, the folder has another layout, or the split leaves no subject on a side.
    """
    reader = find_reader(dataset)
    subjects = find_subjects(dataset, dir, subset)
    options = {"split": split, "fold": fold, "folds": folds, "seed": seed}
    sides = _split_to_write(dataset, dir, subset, skip_bad, options)
    counts = {"error": 0, "note": 0}
    seen: list[Case] = []
    sound: list[Case] = []
    bad: set[str] = set()

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
            seen.append(case)
            errors, notes = check_case(dataset, case)
            if not errors:
                sound.append(case)
            if errors or (strict and notes):
                bad.add(case["subject_id"])
            for kind, findings in (("error", errors), ("note", notes)):
                for finding in findings:
                    report(kind, finding)
    for subject_id, finding in find_duplicates(seen):
        bad.add(subject_id)
        report("error", finding)
    for finding in describe_orientations(sound):
        report("note", finding)
    print(f"{len(seen)} cases of {len(subjects)} subjects: {counts['error']} errors, {counts['note']} notes")
    if skip_bad is not None:
        _write_split(skip_bad, sides, bad)
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


def _split_to_write(
    dataset: str, dir: str, subset: str | None, path: str | None, options: Mapping[str, Any]
) -> dict[str, list[Case]]:
    """Return the sides of the split to write, before anything is read that takes long."""
    if path is None:
        if options != {"split": None, "fold": 0, "folds": 4, "seed": 0}:
            raise InputError("--split, --fold, --folds and --seed are of a split to write; pass --skip_bad FILE, too")
        return {}
    problem = find_write_problem(Path(path).parent, "--skip_bad")
    if problem or Path(path).exists():
        raise InputError(problem or f"{path} exists; pass another --skip_bad FILE")
    return split_cases(dataset, find_readable_cases(dataset, dir, subset)[0], **options)


def _write_split(path: str, sides: Mapping[str, Sequence[Case]], bad: Collection[str]) -> None:
    """Write the subjects of each side that are not bad."""
    good = {
        side: list(dict.fromkeys(case["subject_id"] for case in cases if case["subject_id"] not in bad))
        for side, cases in sides.items()
    }
    empty = [side for side, subjects in good.items() if not subjects]
    if empty:
        raise InputError(f"every subject of {empty[0]} has errors; {path} is not written")
    write_json(path, good)
    counted = ", ".join(f"{len(subjects)} {side}" for side, subjects in good.items())
    print(f"{path}: {counted}; use them with --split {path}")


def find_duplicates(cases: Iterable[Case]) -> list[tuple[str, str]]:
    """List scans that occur under two subjects: a split would train and validate on the same patient.

    Args:
        cases: from `read_cases`; their (first) images are compared by checksum, and voxel by voxel
            where these agree.

    Returns:
        For each, the later subject and a line with both files.
    """
    problems: list[tuple[str, str]] = []
    known: dict[str, tuple[str, str]] = {}
    for case in cases:
        path = case["image"] if isinstance(case["image"], str) else case["image"][0]
        twin = known.setdefault(content_digest(path), (case["subject_id"], path))
        if twin[0] != case["subject_id"] and _same_voxels(path, twin[1]):
            problem = f"expected one scan per subject, found the same voxels in {twin[1]} and {path}; remove one"
            problems.append((case["subject_id"], problem))
    return problems


def _same_voxels(path: str, other: str) -> bool:
    try:
        return np.array_equal(read_image(path).array, read_image(other).array)
    except InputError:  # reported by `check_case`
        return False


def describe_orientations(cases: Iterable[Case]) -> list[str]:
    """Return a line for each orientation that is rarer than the most frequent one; see `nibabel.aff2axcodes`.

    Args:
        cases: from `read_cases`; their (first) images count.
    """
    found: dict[str, list[str]] = {}
    for case in cases:
        path = case["image"] if isinstance(case["image"], str) else case["image"][0]
        codes = "".join(map(str, nib.aff2axcodes(read_header(path).affine)))
        found.setdefault(codes, []).append(path)
    total = sum(map(len, found.values()))
    usual, *others = sorted(found, key=lambda codes: -len(found[codes])) or [""]
    return [
        f"{len(found[codes])} of {total} scans stored as {codes}, most as {usual}, first {found[codes][0]}"
        for codes in others
    ]


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
