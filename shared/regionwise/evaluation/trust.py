"""Failure detection of an evaluation: does a score that needs no reference find the cases that went wrong?"""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from ..errors import InputError
from ..uncertainty.ranking import SOFT_DICE, augrc, aurc, cases_to_review
from .cases_csv import csv_text
from .measure import CaseResult

COVERAGE = 0.9
__all__ = ["COVERAGE", "SOFT_DICE", "case_trust", "read_trust", "review_csv", "summarize_trust"]
COLUMNS = ("case", "trust", "review", "dice")


def case_trust(results: Sequence[CaseResult]) -> dict[str, float]:
    """Trust score per case: the mean over structures of the soft Dice confidence; {} without probabilities."""
    scores = {one.case.name: [row.get("soft_dice_confidence") for row in one.rows] for one in results}
    if any(None in values or not values for values in scores.values()):
        return {}
    return {name: float(np.mean(np.array(values, np.float64))) for name, values in scores.items()}


def read_trust(path: str | os.PathLike, names: Sequence[str]) -> tuple[dict[str, float], str]:
    """Read the trust scores of cases from the ``uncertainty.csv`` of ``regionwise predict --uncertainty``.

    Args:
        path: The file; it may hold further cases.
        names: Names of the cases.

    Returns:
        Case to score, and what the score is.

    Raises:
        InputError: If the file is missing or no such table, or lacks a case.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected the table of 'predict --uncertainty' at {path}, not found")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table in UTF-8; is it an uncertainty.csv?") from error
    if not rows or not {"case", "trust"} <= set(rows[0]):
        raise InputError(f"expected the columns case and trust in {path}; is it an uncertainty.csv?")
    found = {row["case"]: _as_number(row["trust"]) for row in rows}
    wrong = next((row for row in rows if not np.isfinite(found[row["case"]])), None)
    if wrong is not None:
        raise InputError(f"expected a number per case in the column trust of {path}, found {wrong['trust']!r}")
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(f"{path} has no row for {len(missing)} of {len(names)} cases, first '{missing[0]}'")
    return {name: found[name] for name in names}, rows[0].get("trust_score") or "trust"


def summarize_trust(results: Sequence[CaseResult], trust: Mapping[str, float], score: str) -> dict[str, Any] | None:
    """Compare a trust score with the Dice of the cases; None for less than two cases, which have no order.

    The risk of a case is 1 - Dice, Dice the mean over its structures.

    Args:
        results: Results of the cases.
        trust: Score per case, higher is more trusted.
        score: What the score is.

    Returns:
        ``score``, ``n``, ``aurc``, ``augrc``, ``augrc_random`` and ``augrc_best`` (of an order that says nothing, and
        of the order of the Dice), ``spearman`` (None where a side is constant), ``coverage`` and ``accepted`` (the
        wanted share and the one reached), ``dice_all``, ``dice_accepted``, and ``cases``: rows of `COLUMNS`, the least
        trusted first.
    """
    if len(results) < 2:
        return None
    names = [one.case.name for one in results]
    dice = np.array([np.mean([row["dice"] for row in one.rows]) for one in results])
    scores = np.array([trust[name] for name in names])
    send, accepted = cases_to_review(scores, COVERAGE)
    order = sorted(range(len(names)), key=lambda index: (scores[index], names[index]))
    varied = np.ptp(scores) > 0 and np.ptp(dice) > 0
    return {
        "score": score,
        "n": len(names),
        "aurc": aurc(1 - dice, scores),
        "augrc": augrc(1 - dice, scores),
        "augrc_random": float(np.mean(1 - dice)) / 2,
        "augrc_best": augrc(1 - dice, dice),
        "spearman": float(stats.spearmanr(scores, dice).statistic) if varied else None,
        "coverage": COVERAGE,
        "accepted": accepted,
        "dice_all": float(dice.mean()),
        "dice_accepted": float(dice[~send].mean()),
        "cases": [dict(zip(COLUMNS, _row(names, scores, send, dice, index), strict=True)) for index in order],
    }


def review_csv(summary: Mapping[str, Any]) -> str:
    """Return the cases of `summarize_trust` as CSV, the least trusted first."""
    return csv_text(COLUMNS, [[row[column] for column in COLUMNS] for row in summary["cases"]])


def _as_number(text: str | None) -> float:
    """Return a cell as a number; NaN where it is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _row(names: Sequence[str], scores: np.ndarray, send: np.ndarray, dice: np.ndarray, index: int) -> tuple[Any, ...]:
    return names[index], float(scores[index]), "yes" if send[index] else "no", float(dice[index])
