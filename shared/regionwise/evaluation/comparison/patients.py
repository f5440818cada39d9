"""Patient of each case: from a file, the results themselves, or case names such as ``patient001_frame01``."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import InputError
from .results import Method

FRAME = re.compile(r"(patient\d+)_(frame\d+|ED|ES)", re.IGNORECASE)
"""Names of ACDC's cases; the group is the patient."""


def read_groups(path: str | Path) -> dict[str, str]:
    """Read the patient of each case from a CSV file with the columns case and patient.

    Raises:
        InputError: If the file is missing, lacks these columns, or names two patients for a case.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a CSV file with the columns case and patient as --groups, not found at {path}")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is no CSV file ({error}); expected the columns case and patient") from error
    if not rows or not {"case", "patient"} <= set(rows[0]):
        raise InputError(f"expected the columns case and patient, and one row per case, in {path}")
    groups: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        case, patient = row["case"], row["patient"]
        if not case or not patient:
            raise InputError(f"row {line} of {path} lacks a case or a patient")
        if groups.setdefault(case, patient) != patient:
            raise InputError(f"{path} names two patients for case '{case}': {groups[case]} and {patient}")
    return groups


def find_patients(
    methods: Sequence[Method], cases: Iterable[str], groups: dict[str, str] | None = None
) -> tuple[dict[str, str], str]:
    """Find the patient of each case.

    Args:
        methods: The results; their column ``patient`` is used if present.
        cases: Names of the cases.
        groups: Patient of each case, from `read_groups`; takes precedence.

    Returns:
        Case to patient, and a description of the source.

    Raises:
        InputError: If ``groups`` lacks a case, or two results name two patients for a case.
    """
    cases = list(dict.fromkeys(cases))
    if groups is not None:
        missing = [case for case in cases if case not in groups]
        if missing:
            raise InputError(f"the --groups file names no patient for case '{missing[0]}' and {len(missing) - 1} more")
        return {case: groups[case] for case in cases}, "from --groups"
    told: dict[str, str] = {}
    for method in methods:
        for run in method.runs:
            for (case, _), row in run.items():
                patient = str(row.get("patient") or "")
                if patient and told.setdefault(case, patient) != patient:
                    raise InputError(f"case '{case}' is of {told[case]} and of {patient}; say which with --groups")
    if all(case in told for case in cases):
        return {case: told[case] for case in cases}, "from the column patient"
    frames = {case: match[1] for case in cases if (match := FRAME.fullmatch(case))}
    if len(frames) == len(cases):
        return frames, "from the names of the cases"
    return {case: case for case in cases}, "every case counts as a patient; if that is wrong, pass --groups"
