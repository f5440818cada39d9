"""cases.csv, one row per case and structure, and the short table that the command prints."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import atomic_path
from .measure import Row

TEXT = ("case", "class", "status", "group")


def metric_names(rows: Sequence[Row]) -> list[str]:
    """Return the columns that hold numbers, in their order."""
    return [name for name in rows[0] if name not in TEXT] if rows else []


def write_rows(path: str | os.PathLike, rows: Sequence[Row]) -> None:
    """Write rows as CSV atomically; numbers with nine digits, a value that does not exist as an empty field."""
    columns = list(rows[0])
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[_text(row[column]) for column in columns] for row in rows])


def read_rows(path: str | os.PathLike) -> list[Row]:
    """Read what `write_rows` wrote; an empty number becomes None.

    Raises:
        InputError: the file is missing, holds no row, or lacks the columns case, class or status, or a number is none.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected the results of 'evaluate' at {path}, found none")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in ("case", "class", "status") if not rows or name not in rows[0]]
    if missing:
        raise InputError(f"{path} has no column '{missing[0]}' or no rows; expected a cases.csv of 'evaluate'")
    try:
        return [{name: text if name in TEXT else _number(text) for name, text in row.items()} for row in rows]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{path} holds something that is no number ({error}); expected a cases.csv of 'evaluate'"
        ) from error


def _text(value: str | float | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.9g}"


def _number(text: str) -> float | None:
    return float(text) if text != "" else None


def text_table(summary: Mapping[str, Any]) -> str:
    """Return a short table to print: a line a structure, then one a structure and group, then what was left out."""
    lines = [f"{'structure':<28}{'Dice':>7}{'HD mm':>8}{'n':>6}{'TP':>6}{'FP':>5}{'FN':>5}{'TN':>5}"]
    for group, part in {"": summary["classes"], **summary["groups"]}.items():
        for name, one in part.items():
            dice, hd_mm = (one["metrics"][key]["mean"] if one["n"] else None for key in ("dice", "hd_mm"))
            numbers = f"{'-' if dice is None else f'{dice:.3f}':>7}{'-' if hd_mm is None else f'{hd_mm:.2f}':>8}"
            counts = f"{one['n']:>6}{one['TP']:>6}{one['FP']:>5}{one['FN']:>5}{one['TN']:>5}"
            lines.append(f"{name + (f' ({group})' if group else ''):<28}{numbers}{counts}")
    lines += [f"skipped {one['case']}: {one['reason']}" for one in summary["skipped"]]
    return "\n".join([*lines, *summary["notes"]])
