"""What the rows say together: means, spreads and counts a structure, for all cases and for each group."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .measure import Row
from .table import metric_names

STATUSES = ("TP", "FP", "FN", "TN")


def summarize_structure(rows: Sequence[Row], metrics: Sequence[str]) -> dict[str, Any]:
    """Summarize the rows of one structure.

    Args:
        rows: one a case.
        metrics: the columns to summarize.

    Returns:
        ``n`` (cases behind every number; 0 if no mask of any case holds the structure), ``TP`` ... ``TN``, and
        ``metrics``: for each its ``mean``, ``std`` (of the sample, None for one case), ``median``, ``q25``, ``q75``,
        ``min`` and ``max``, or None where n is 0.
    """
    counts = {name: sum(row["status"] == name for row in rows) for name in STATUSES}
    measured = len(rows) if counts["TN"] < len(rows) else 0
    statistics = {}
    for metric in metrics:
        values = np.array([row[metric] for row in rows if row[metric] is not None], dtype=np.float64)
        statistics[metric] = _describe(values) if measured and len(values) else None
    return {"n": measured, **counts, "metrics": statistics}


def summarize(rows: Sequence[Row]) -> dict[str, Any]:
    """Summarize all rows by structure.

    Returns:
        ``classes``: structure name to `summarize_structure`, and ``groups``: the same for each group, {} without any.
    """
    metrics = metric_names(rows)
    groups = sorted({row["group"] for row in rows} - {""})
    return {
        "classes": _by_class(rows, metrics),
        "groups": {group: _by_class([row for row in rows if row["group"] == group], metrics) for group in groups},
    }


def _by_class(rows: Sequence[Row], metrics: Sequence[str]) -> dict[str, Any]:
    names = dict.fromkeys(row["class"] for row in rows)
    return {name: summarize_structure([row for row in rows if row["class"] == name], metrics) for name in names}


def _describe(values: np.ndarray) -> dict[str, float | int | None]:
    quartiles = np.percentile(values, (25, 50, 75))
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        "median": float(quartiles[1]),
        "q25": float(quartiles[0]),
        "q75": float(quartiles[2]),
        "min": float(values.min()),
        "max": float(values.max()),
    }
