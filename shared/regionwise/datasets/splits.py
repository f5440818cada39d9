"""Splits by subject: the paper's, k-fold, or an explicit file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, did_you_mean
from ..files import read_json
from .case import Case
from .registry import find_readable_cases, find_reader, incomplete_dataset, read_cases

SECTIONS = ("train", "val", "all")
SPLITS = ("paper", "kfold")
"""The splits that have a name; any other is a file."""


def datalist(
    dataset: str,
    dataset_dir: str | os.PathLike | None,
    section: str = "train",
    split: str | None = None,
    fold: int = 0,
    folds: int = 4,
    seed: int = 0,
    subset: str | None = None,
) -> list[Case]:
    """List the cases of one side of a split, as MONAI's datasets take them; called by the bundle configs.

    Args:
        dataset: ``acdc``, ``brats``, ``kits`` or ``msd``.
        dataset_dir: the dataset's folder, as downloaded.
        section: ``train``, ``val`` or ``all`` (no split).
        split: as in `split_cases`.
        fold: as in `split_cases`.
        folds: as in `split_cases`.
        seed: as in `split_cases`.
        subset: as in `read_cases`.

    Raises:
        InputError: If the section is unknown; also as in `read_cases` and `split_cases`. Of subjects that a split file
            leaves out, files may be missing.
    """
    if section not in SECTIONS:
        raise InputError(f"Unknown section '{section}'; {did_you_mean(section, SECTIONS)}")
    if section == "all":
        return read_cases(dataset, dataset_dir, subset)
    cases, errors = find_readable_cases(dataset, dataset_dir, subset)
    if errors and (split in (None, *SPLITS) or _lacks(split, cases)):
        raise incomplete_dataset(errors, dataset, dataset_dir)
    return split_cases(dataset, cases, split, fold, folds, seed)[section]


def split_cases(
    dataset: str,
    cases: Sequence[Case],
    split: str | None = None,
    fold: int = 0,
    folds: int = 4,
    seed: int = 0,
) -> dict[str, list[Case]]:
    """Split cases into training and validation by subject: the cases of one subject stay together.

    Args:
        dataset: its name, for the paper's split.
        cases: from `read_cases`.
        split: ``paper``; ``kfold``; or a JSON file ``{"train": [subject, ...], "val": [subject, ...]}``, which may
            omit subjects. By default ``paper``, or ``kfold`` for msd, which is not in the paper.
        fold: for kfold, the index of the validation fold, from 0; must be 0 for every other split.
        folds: for kfold, the number of folds.
        seed: for kfold, seed of the shuffle.

    Returns:
        ``{"train": [...], "val": [...]}``, each in the order of ``cases`` and not empty.

    Raises:
        InputError: If the split is unknown, its file does not fit the cases, or a side has no cases.
    """
    subjects = sorted({case["subject_id"] for case in cases})
    reader = find_reader(dataset)
    if split is None:
        split = "paper" if hasattr(reader, "paper_split") else "kfold"
    if split != "kfold" and fold != 0:
        raise InputError(f"fold {fold} needs split 'kfold', found split '{split}', which has no folds")
    if split == "kfold":
        train, val = _kfold(subjects, fold, folds, seed)
    elif split == "paper":
        if not hasattr(reader, "paper_split"):
            raise InputError(f"the paper has no split of {dataset}; use split 'kfold' or a split file")
        train, val = reader.paper_split(subjects)
    else:
        train, val = _from_file(split, subjects)
    sides = {"train": set(train), "val": set(val)}
    for side, names in sides.items():
        if not names:
            found = ", ".join(subjects[:3]) + (", ..." if len(subjects) > 3 else "")
            raise InputError(f"split '{split}' leaves {side} without subjects; found {len(subjects)}: {found}")
    return {side: [case for case in cases if case["subject_id"] in names] for side, names in sides.items()}


def _lacks(path: str, cases: Sequence[Case]) -> bool:
    """Return whether a split file names a subject that has no cases."""
    named = {name for side in read_split(path) for name in side}
    return not named <= {case["subject_id"] for case in cases}


def _kfold(subjects: list[str], fold: int, folds: int, seed: int) -> tuple[list[str], list[str]]:
    for name, value, lowest in (("folds", folds, 2), ("fold", fold, 0), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise InputError(f"expected {name} to be an integer >= {lowest}, found {value!r}")
    if fold >= folds:
        raise InputError(f"expected fold to be 0..{folds - 1} (folds is {folds}), found {fold}")
    if len(subjects) < folds:
        raise InputError(f"expected at least as many subjects as folds ({folds}), found {len(subjects)}")
    order = np.random.default_rng(seed).permutation(len(subjects))
    val = {subjects[index] for index in order[fold::folds]}
    return [subject for subject in subjects if subject not in val], sorted(val)


def read_split(path: str) -> tuple[list[str], list[str]]:
    """Read the training and the validation subjects of a split file.

    Raises:
        InputError: If it is no file, or no JSON of the form ``{"train": [subject, ...], "val": [subject, ...]}``.
    """
    if not Path(path).is_file():
        raise InputError(f"expected split to be 'paper', 'kfold' or a JSON file, found '{path}', which is no file")
    content = read_json(path)
    sides: list[Any] = [content.get(side) for side in ("train", "val")] if isinstance(content, dict) else [None]
    if not all(isinstance(side, list) and all(isinstance(name, str) for name in side) for side in sides):
        raise InputError(f'expected {{"train": [subjects], "val": [subjects]}} in the split file {path}')
    train, val = sides
    return train, val


def _from_file(path: str, subjects: list[str]) -> tuple[list[str], list[str]]:
    train, val = read_split(path)
    unknown = sorted({*train, *val} - set(subjects))
    if unknown:
        near = did_you_mean(unknown[0], subjects) if len(subjects) <= 8 else f"subjects are like '{subjects[0]}'"
        raise InputError(f"the split file {path} names '{unknown[0]}', which is no subject; {near}")
    both = sorted(set(train) & set(val))
    if both:
        raise InputError(f"the split file {path} has '{both[0]}' in both train and val")
    return train, val
