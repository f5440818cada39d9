"""Readers of per-case results: ours, nnU-Net's summary.json, MIST's results.csv, and a plain table.

Whatever a format lacks is returned as a note; missing metrics are not filled in.
"""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...nifti import stem
from ..cases_csv import read_rows
from ..measure import Row

Key = tuple[str, str]
Run = Mapping[Key, Row]

MIST_METRICS = {
    "lesion_wise_surf_dice": "lesion_wise_surf_dice",
    "lesion_wise_haus95": "lesion_wise_haus95",
    "lesion_wise_dice": "lesion_wise_dice",
    "surf_dice": "surf_dice",
    "avg_surf": "avg_surf",
    "haus95": "hd95_mm",
    "dice": "dice",
}
"""Endings of MIST's columns, longest first, and our names of those that mean the same."""

MIST_STATISTICS = ("Mean", "Std", "25th Percentile", "Median", "75th Percentile")
PLAIN = ("case", "structure", "metric", "value")


def read_run(path: Path) -> tuple[Run, list[str]]:
    """Read the results of one method and seed.

    Args:
        path: A cases.csv of ``evaluate``, nnU-Net's ``summary.json``, MIST's ``results.csv``, or a CSV file with the
            columns case, structure, metric and value (and, optionally, patient).

    Returns:
        (case, structure) to row, and a line for each thing that the format lacks.

    Raises:
        InputError: If the file is none of these, holds a case and structure twice, or a number that is not finite.
    """
    if path.suffix == ".json":
        return _read_nnunet(path)
    heads = _heads(path)
    if set(PLAIN) <= set(heads):
        return _read_plain(path)
    if heads[:1] == ["id"]:
        return _read_mist(path)
    run: dict[Key, Row] = {}
    for row in read_rows(path):
        _add(run, path, str(row["case"]), str(row["structure"]), row)
    return run, []


def _add(run: dict[Key, Row], path: Path, case: str, structure: str, row: Row) -> None:
    if (case, structure) in run:
        raise InputError(f"{path} holds case '{case}', structure '{structure}' twice")
    run[case, structure] = row


def _read_nnunet(path: Path) -> tuple[Run, list[str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cases = content["metric_per_case"]
        run: dict[Key, Row] = {}
        for one in cases:
            case = stem(one["prediction_file"])
            for label, metrics in one["metrics"].items():
                structure = f"class {label}"
                _add(run, path, case, structure, _nnunet_row(case, structure, metrics, path))
    except InputError:
        raise
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no summary.json of nnU-Net ({error}); of 'evaluate', give the folder or its cases.csv"
        ) from error
    if not run:
        raise InputError(f"{path} holds no case")
    return run, [f"{path.name} of nnU-Net has no distances, no class names and no patients"]


def _nnunet_row(case: str, structure: str, metrics: Mapping[str, Any], path: Path) -> Row:
    predicted, reference = metrics["n_pred"] > 0, metrics["n_ref"] > 0
    status = {(True, True): "TP", (True, False): "FP", (False, True): "FN", (False, False): "TN"}[predicted, reference]
    row: Row = {"case": case, "structure": structure, "status": status}
    for theirs, ours in (("Dice", "dice"), ("IoU", "jaccard")):
        # nnU-Net has NaN where both masks are empty; our policy counts that as right.
        row[ours] = 1.0 if status == "TN" else _finite(metrics[theirs], f"{theirs} of case '{case}' in {path}")
    return row


def _read_mist(path: Path) -> tuple[Run, list[str]]:
    run: dict[Key, Row] = {}
    for line, given in enumerate(_rows(path), start=2):
        case = given["id"]
        if case in MIST_STATISTICS:
            continue
        by_structure: dict[str, Row] = {}
        for column, text in given.items():
            ending = next((name for name in MIST_METRICS if str(column).endswith(f"_{name}")), None)
            if ending is None:
                continue
            structure = column.removesuffix(f"_{ending}")
            row = by_structure.setdefault(structure, {"case": case, "structure": structure, "status": ""})
            where = f"column '{column}' of row {line} of {path}"
            row[MIST_METRICS[ending]] = None if text == "" else _finite(text, where)
        for structure, row in by_structure.items():
            _add(run, path, case, structure, row)
    if not run:
        raise InputError(f"{path} has no column of MIST such as WT_dice, or no case")
    return run, [f"{path.name} of MIST does not say which masks are empty, and has no patients"]


def _read_plain(path: Path) -> tuple[Run, list[str]]:
    run: dict[Key, Row] = {}
    for line, given in enumerate(_rows(path), start=2):
        key = (given["case"], given["structure"])
        row = run.setdefault(key, {"case": key[0], "structure": key[1], "status": "", "patient": ""})
        row["patient"] = given.get("patient") or ""
        metric = given["metric"]
        if not all((*key, metric)) or metric in row:
            raise InputError(
                f"row {line} of {path} lacks a name, or repeats {metric} of case '{key[0]}', structure '{key[1]}'"
            )
        row[metric] = None if given["value"] == "" else _finite(given["value"], f"row {line} of {path}")
    if not run:
        raise InputError(f"{path} has no rows")
    return run, [f"{path.name} does not say which masks are empty"]


def _heads(path: Path) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is no CSV file ({error}); expected results per case") from error


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is no CSV file ({error}); expected results per case") from error
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise InputError(f"row {line} of {path} has too few or too many columns")
    return rows


def _finite(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"expected a number in {where}, found {value!r}") from error
    if not math.isfinite(number):
        raise InputError(f"expected a finite number in {where}, found {value!r}; evaluate the case again")
    return number
