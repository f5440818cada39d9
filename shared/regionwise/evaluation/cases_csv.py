"""cases.csv, one row per case and structure, and the short table that the command prints."""

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from .measure import Row

TEXT = ("case", "structure", "status", "group", "patient")
RENAMED = {"class": "structure"}
"""Columns of files that were written before a column got its present name."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def metric_names(rows: Sequence[Row]) -> list[str]:
    """Names of the columns that hold numbers, in their order."""
    return [name for name in rows[0] if name not in TEXT] if rows else []


def cases_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV: numbers with nine digits, a value that does not exist as an empty field."""
    columns = list(rows[0])
    return csv_text(columns, [[row[column] for column in columns] for row in rows])


def csv_text(heads: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> str:
    """Table as CSV in which spreadsheets take no text for a formula.

    Args:
        heads: Names of the columns.
        rows: Cells: text (a leading ``=``, ``+``, ``-``, ``@``, tab or return gets an apostrophe before it), numbers
            (nine digits), or None (empty).
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_cell(head) for head in heads])
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return file.getvalue()


def read_rows(path: str | os.PathLike) -> list[Row]:
    """Read a cases.csv; an empty number becomes None.

    Raises:
        InputError: If the file is missing, not text or empty, lacks the columns case, structure or status, or holds
            anything but finite numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected the results of 'evaluate' at {path}, not found")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is no CSV file ({error}); expected a cases.csv of 'evaluate'") from error
    heads = {RENAMED.get(name, name) for name in rows[0]} if rows else set()
    missing = [name for name in ("case", "structure", "status") if name not in heads]
    if missing:
        raise InputError(f"{path} has no column '{missing[0]}' or no rows; expected a cases.csv of 'evaluate'")
    return [_read_row(path, line, row) for line, row in enumerate(rows, start=2)]


def _read_row(path: Path, line: int, row: Mapping[str | None, str | None]) -> Row:
    read: Row = {}
    for column, text in row.items():
        if column is None or text is None:
            raise InputError(f"row {line} of {path} has too few or too many columns; expected a cases.csv")
        name = RENAMED.get(column, column)
        read[name] = _plain(text) if name in TEXT else _number(text, f"column '{column}' of row {line} of {path}")
    return read


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | str):
        # An apostrophe of its own is doubled, so that reading can take the added one away.
        text = str(value)
        return f"'{text}" if text.startswith((*_FORMULA, "'")) else text
    return f"{value:.9g}"


def _plain(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith((*_FORMULA, "'")) else text


def _number(text: str, where: str) -> float | None:
    if text == "":
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"expected a number in {where}, found '{text}'") from error
    if not math.isfinite(value):
        raise InputError(f"expected a finite number in {where}, found '{text}'; evaluate the case again")
    return value


def text_table(summary: Mapping[str, Any]) -> str:
    """Short table to print: one line per structure, one per structure and group, then what was left out."""
    lines = [f"{'structure':<28}{'Dice':>7}{'HD mm':>8}{'n':>6}{'TP':>6}{'FP':>5}{'FN':>5}{'TN':>5}"]
    for group, part in {"": summary["structures"], **summary["groups"]}.items():
        for name, one in part.items():
            dice, hd_mm = (one["metrics"][key]["mean"] if one["n"] else None for key in ("dice", "hd_mm"))
            numbers = f"{'-' if dice is None else f'{dice:.3f}':>7}{'-' if hd_mm is None else f'{hd_mm:.2f}':>8}"
            counts = f"{one['n']:>6}{one['TP']:>6}{one['FP']:>5}{one['FN']:>5}{one['TN']:>5}"
            lines.append(f"{name + (f' ({group})' if group else ''):<28}{numbers}{counts}")
    lines += [f"skipped {one['case']}: {one['reason']}" for one in summary["skipped"]]
    return "\n".join([*lines, *summary["notes"]])
