"""The cases of a BIDS tree as a datalist: one per session, split by participant."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..datasets.case import existing
from ..datasets.splits import SECTIONS, split_cases
from ..distributed import is_main_process
from ..errors import InputError, did_you_mean
from ..options import as_path
from .labels import AUTO, find_label_files, label_of
from .names import EACH, BidsFile, check_choice, describe, matches
from .tree import find_files, open_tree, read_participants


def datalist(
    dataset: str,
    dataset_dir: str | os.PathLike | None,
    images: Sequence[Mapping[str, Any]],
    merged: str | os.PathLike,
    section: str = "all",
    split: str = "kfold",
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    choose: Mapping[str, Any] | None = None,
    labels: str | None = AUTO,
    label_choice: Mapping[str, Any] | None = None,
    labeled_only: bool = False,
    group: str | None = None,
) -> list[dict[str, Any]]:
    """List the cases of a BIDS tree as MONAI's datasets take them; called by the bundle configs.

    A case is a session of a subject (a subject where there are no sessions), and one of each label of the entities
    that ``choose`` says ``each`` of. What lacks a scan or, with ``labeled_only``, labels is left out, and one line on
    stderr says so.

    Args:
        dataset: ``acdc``, ``brats``, ``kits`` or ``msd``: whose classes the labels are.
        dataset_dir: Root of the tree.
        images: One choice of files per channel, such as ``[{"suffix": "T1w"}]``; see `check_choice`.
        merged: Folder for label maps that are made of masks.
        section: ``train``, ``val`` or ``all`` (no split).
        split: ``kfold`` by participant, or a JSON file, see `regionwise.datasets.split_cases`.
        fold: See `split_cases`.
        folds: See `split_cases`.
        seed: See `split_cases`.
        choose: A choice that holds for all channels: ``{"ses": "01", "run": 1}``.
        labels: See `find_label_files`.
        label_choice: A choice of the label maps: ``{"desc": "manual"}``.
        labeled_only: Leave cases without labels out.
        group: Column of ``participants.tsv`` that says which group of the report a case is in.

    Raises:
        InputError: If the tree, the choice or the split is wrong, a choice fits several files, or no case is left.
    """
    if section not in SECTIONS:
        raise InputError(f"Unknown section '{section}'; {did_you_mean(section, SECTIONS)}")
    if split == "paper":
        raise InputError("the paper has no split of a BIDS tree; use --split kfold or a JSON file of participants")
    root = open_tree(dataset_dir)
    chosen = check_choice(choose or {}, "choose")
    channels = [check_choice(one, "images") | chosen for one in images]
    if not channels:
        raise InputError("expected one choice of files per channel in --images, found none")
    files, masks = find_files(root), find_label_files(root, labels)
    wanted = check_choice(label_choice or {}, "label_choice")
    groups, cases, left_out = _groups(root, group), [], []
    for name, members in _sessions(files, [key for key, value in chosen.items() if value == EACH]).items():
        found = [_only(members, channel, name) for channel in channels]
        scans = [file for file in found if file is not None]
        if len(scans) < len(channels):
            missing = next(channel for channel, file in zip(channels, found, strict=True) if file is None)
            left_out.append(f"{name} (no {describe(missing)})")
            continue
        label = label_of(scans, masks, wanted, dataset, as_path(merged) / "labels")
        if label is None and labeled_only:
            left_out.append(f"{name} (no labels)")
            continue
        cases.append(_case(name, scans, label, groups, must_exist=labeled_only))
    _say(left_out, len(cases))
    if not cases:
        raise InputError(f"expected {describe(channels[0])} of the subjects in {root}, found none" + _labeled(masks))
    return cases if section == "all" else split_cases(dataset, cases, split, fold, folds, seed)[section]  # type: ignore[arg-type, return-value]


def labeled(data: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the cases of a datalist that have a label.

    Raises:
        InputError: If none has.
    """
    found = [case for case in data if "label" in case]
    if not found:
        raise InputError(
            "expected labels to evaluate with in the tree's derivatives, found none; run predicting instead"
        )
    return found


def _sessions(files: Sequence[BidsFile], each: Sequence[str]) -> dict[str, list[BidsFile]]:
    """Return case name to files; the entities that make a case are in its name."""
    sessions: dict[str, list[BidsFile]] = {}
    for file in files:
        parts = [f"{key}-{file.entities[key]}" for key in ("sub", "ses", *each) if key in file.entities]
        sessions.setdefault("_".join(dict.fromkeys(parts)), []).append(file)
    return sessions


def _only(files: Sequence[BidsFile], choice: Mapping[str, Any], name: str) -> BidsFile | None:
    found = [file for file in files if matches(file, choice)]
    if len(found) < 2:
        return found[0] if found else None
    keys = [*found[0].entities, *found[1].entities]
    differs = next((key for key in keys if found[0].entities.get(key) != found[1].entities.get(key)), "datatype")
    hint = f"choose by --choose \"{{'{differs}': {found[0].entities.get(differs)!r}}}\""
    names = " and ".join(file.path.name for file in found[:2])
    raise InputError(f"expected one {describe(choice)} of {name}, found {len(found)}: {names}; {hint}")


def _case(
    name: str, scans: Sequence[BidsFile], label: str | None, groups: Mapping[str, str], must_exist: bool
) -> dict[str, Any]:
    # A scan that is not there stops a training; one to segment is named, and the others are segmented (`CheckedScans`).
    hint = "get it from its source (datalad get)"
    paths = [existing(file.path, f"a scan of {name}", hint) if must_exist else str(file.path) for file in scans]
    subject = f"sub-{scans[0].entities['sub']}"
    case: dict[str, Any] = {"case_id": name, "subject_id": subject, "image": paths if len(paths) > 1 else paths[0]}
    return case | ({"label": label} if label is not None else {}) | {"group": groups.get(subject, "")}


def _groups(root: Path, column: str | None) -> dict[str, str]:
    participants = read_participants(root)
    if column is None:
        return {}
    names = list(next(iter(participants.values()), {}))
    if column not in names:
        raise InputError(f"no column '{column}' in {root / 'participants.tsv'}; {did_you_mean(column, names)}")
    return {name: row[column] or "n/a" for name, row in participants.items()}


def _say(left_out: Sequence[str], kept: int) -> None:
    if left_out and is_main_process():
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        print(f"left out {len(left_out)} of {len(left_out) + kept}: {', '.join(left_out[:5])}{more}", file=sys.stderr)


def _labeled(masks: Sequence[BidsFile]) -> str:
    return "" if masks else " with labels (no _dseg or _mask in the derivatives)"
