"""The command that reads a whole dataset and says per case what is wrong."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import nibabel as nib
import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..nifti import Volume, read_image, read_labels
from .case import Case
from .registry import find_reader, find_subjects, to_classes

SPACING_RANGE_MM = (0.05, 20.0)
"""A voxel size outside this range is a unit error or a damaged header, not a scan of a patient."""


def check(dataset: str, dir: str, subset: str | None = None, strict: bool = False) -> int:
    """Read every file of a dataset and print one line per finding, then the totals.

    An error is what would break or silently spoil training: a missing or damaged file, shapes or affines that differ
    within a case, labels outside the classes, absurd spacing, NaN or infinity, an image without contrast. A class that
    a case does not have is a note: real cases lack structures.

    Args:
        dataset: acdc, brats, kits or msd.
        dir: the dataset's folder, as downloaded.
        subset: for brats, HGG, LGG or all.
        strict: count notes as errors.

    Returns:
        The exit status: 1 if there are errors, else 0.

    Raises:
        InputError: an unknown dataset, or a folder of another layout.
    """
    reader = find_reader(dataset)
    subjects = find_subjects(dataset, dir, subset)
    counts = {"error": 0, "note": 0}
    cases = 0

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
            errors, notes = check_case(dataset, case)
            for kind, findings in (("error", errors), ("note", notes)):
                for finding in findings:
                    report(kind, finding)
    print(f"{cases} cases of {len(subjects)} subjects: {counts['error']} errors, {counts['note']} notes")
    return int(counts["error"] > 0 or (strict and counts["note"] > 0))


def check_case(dataset: str, case: Case) -> tuple[list[str], list[str]]:
    """Read the files of one case and describe what is wrong with them.

    Args:
        dataset: its name, for the classes.
        case: from `read_cases`.

    Returns:
        Errors and notes (see `check`), one line each with the file.
    """
    names = find_reader(dataset).LABELS
    images = [case["image"]] if isinstance(case["image"], str) else case["image"]
    errors, volumes = [], []
    for read, path in [*((read_image, path) for path in images), (read_labels, case["label"])]:
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
    return errors + describe_problems(scans, label, names), describe_empty(label, names)


def describe_problems(images: Sequence[Volume], label: Volume | None, classes: Mapping[int, Any]) -> list[str]:
    """Describe what makes a loaded case unfit for training or evaluation.

    Args:
        images: the scan, or one 3-D volume per modality.
        label: class indices, or None for a scan alone.
        classes: the class indices that are allowed (the keys are used).

    Returns:
        One line per problem, each with the file; empty when there is none.
    """
    problems = []
    for image in images:
        problems += _describe_spacing(image) + _describe_values(image)
    if any(image.array.ndim != 3 or image.array.size == 0 for image in images):
        return problems
    first = images[0]
    for other in [*images[1:], *([label] if label is not None else [])]:
        if other.array.shape != first.array.shape:
            shapes = f"{other.array.shape} in {other.path}, {first.array.shape} in {first.path}"
            problems.append(f"expected one shape in a case, found {shapes}")
        elif (shift_mm := _largest_shift_mm(first, other)) > 0.1 * min(first.spacing_mm[:3]):
            problems.append(
                f"expected one affine in a case, found {other.path} up to {shift_mm:.3g} mm away from {first.path}"
            )
    if label is not None:
        problems += _describe_spacing(label) + _describe_labels(label, classes)
    return problems


def describe_empty(label: Volume, names: Mapping[int, str]) -> list[str]:
    """Return one line for each class that a label map of class indices lacks."""
    present = _values(label.array)
    return [f"no {name} (label {index}) in {label.path}" for index, name in names.items() if index not in present]


def _describe_spacing(volume: Volume) -> list[str]:
    if not np.isfinite(volume.affine).all():
        return [f"expected a finite affine, found NaN or infinity in {volume.path}"]
    low, high = SPACING_RANGE_MM
    spacing_mm = nib.affines.voxel_sizes(volume.affine)
    if not ((spacing_mm >= low) & (spacing_mm <= high)).all():
        found = " x ".join(f"{size:.4g}" for size in spacing_mm)
        return [f"expected voxel sizes of {low:g}-{high:g} mm, found {found} mm in {volume.path}"]
    if abs(np.linalg.det(volume.affine[:3, :3])) < 0.01 * np.prod(spacing_mm):
        return [f"expected axes that span a volume, found a singular affine in {volume.path}"]
    return []


def _describe_values(image: Volume) -> list[str]:
    if image.array.ndim != 3 or image.array.size == 0:
        return [f"expected a 3-D image, found shape {image.array.shape} in {image.path}"]
    low, high = float(image.array.min()), float(image.array.max())
    if not np.isfinite((low, high)).all():
        count = image.array.size - np.count_nonzero(np.isfinite(image.array))
        return [f"expected finite voxels, found {count} NaN or infinite in {image.path}"]
    return [f"expected an image, found {low:g} in every voxel of {image.path}"] if low == high else []


def _describe_labels(label: Volume, classes: Mapping[int, Any]) -> list[str]:
    outside = sorted(_values(label.array) - set(classes))
    if not outside:
        return []
    listed = ", ".join(map(str, outside[:5])) + (", ..." if len(outside) > 5 else "")
    return [f"expected labels {', '.join(map(str, classes))}, found {listed} in {label.path}"]


def _values(labels: np.ndarray) -> set[int]:
    """Return the values that occur, plane by plane: `np.unique` of a whole CT needs several copies of it."""
    return {int(value) for plane in labels for value in np.unique(plane)}


def _largest_shift_mm(first: Volume, other: Volume) -> float:
    """Return how far apart two affines put the corners of the volume."""
    corners = np.array(list(itertools.product(*((0, size - 1) for size in first.array.shape))))
    difference = nib.affines.apply_affine(first.affine, corners) - nib.affines.apply_affine(other.affine, corners)
    return float(np.linalg.norm(difference, axis=1).max())
