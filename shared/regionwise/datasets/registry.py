"""Datasets by name: one function lists the cases of any of them."""

import os
from collections.abc import Sequence

import numpy as np

from ..errors import InputError, did_you_mean
from . import acdc, brats, kits, msd
from .case import Case

# Each reader is a module with NAME, LABELS, ALIASES, LAYOUT, find_subjects(dataset_dir), read_subject(subject) and,
# where the paper has a split, paper_split(subjects).
READERS = {"acdc": acdc, "brats": brats, "kits": kits, "msd": msd}
LABELS = {name: reader.LABELS for name, reader in READERS.items()}
"""Class index to class name, in the order of the networks' output channels."""


def find_reader(dataset: str):
    """Return the module that reads a dataset.

    Raises:
        InputError: If the dataset is unknown.
    """
    if dataset not in READERS:
        raise InputError(f"Unknown dataset '{dataset}'; {did_you_mean(dataset, READERS)}")
    return READERS[dataset]


def find_subjects(dataset: str, dataset_dir: str | os.PathLike | None, subset: str | None = None) -> list:
    """Return the subjects that `read_cases` iterates over: one argument of the reader's ``read_subject`` each.

    Raises:
        InputError: If the dataset is unknown, the folder has another layout, or the dataset has no subsets.
    """
    reader = find_reader(dataset)
    if subset is None:
        return reader.find_subjects(dataset_dir)
    if dataset != "brats":
        raise InputError(f"only brats has subsets; leave out subset '{subset}' for {dataset}")
    return reader.find_subjects(dataset_dir, subset)


def read_cases(dataset: str, dataset_dir: str | os.PathLike | None, subset: str | None = None) -> list[Case]:
    """List the labeled cases of a dataset as downloaded. Files must exist but are not read.

    Args:
        dataset: ``acdc``, ``brats``, ``kits`` or ``msd``.
        dataset_dir: the dataset's folder.
        subset: for brats, ``HGG``, ``LGG`` or ``all`` (see `brats.find_subjects`).

    Returns:
        The cases, sorted by name; ``image`` is a list of four files for brats and one file otherwise.

    Raises:
        InputError: If the dataset is unknown, the folder has another layout, or a file of a case is missing.
    """
    cases, errors = find_readable_cases(dataset, dataset_dir, subset)
    if errors:
        raise incomplete_dataset(errors, dataset, dataset_dir)
    return cases


def find_readable_cases(
    dataset: str, dataset_dir: str | os.PathLike | None, subset: str | None = None
) -> tuple[list[Case], list[str]]:
    """List the cases whose files exist, and a line for each subject that lacks one; see `read_cases`."""
    reader = find_reader(dataset)
    cases: list[Case] = []
    errors: list[str] = []
    for subject in find_subjects(dataset, dataset_dir, subset):
        try:
            cases.extend(reader.read_subject(subject))
        except InputError as error:
            errors.append(str(error))
    return cases, errors


def incomplete_dataset(errors: Sequence[str], dataset: str, dataset_dir: str | os.PathLike | None) -> InputError:
    """Return the error for subjects that lack a file."""
    if len(errors) == 1:
        return InputError(errors[0])
    hint = f"python -m regionwise check --dataset {dataset} --dir {dataset_dir} --skip_bad FILE leaves them out"
    return InputError(f"{errors[0]} (and {len(errors) - 1} more such cases: {hint})")


def to_classes(dataset: str, labels: np.ndarray) -> np.ndarray:
    """Convert the label values of the files to class indices (BraTS: 4 becomes 3; other datasets: unchanged).

    Args:
        dataset: its name.
        labels: integer array of any shape.

    Raises:
        InputError: If an array holds both values of a class, so that their meaning is unclear.
    """
    for value, index in find_reader(dataset).ALIASES.items():
        found = labels == value
        if found.any():
            if (labels == index).any():
                raise InputError(f"labels {index} and {value} both occur; expected {dataset} to use one of them")
            labels = np.where(found, labels.dtype.type(index), labels)
    return labels
