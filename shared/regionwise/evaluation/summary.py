"""Aggregate per-case rows: mean, spread and counts per structure, for all cases and for each group."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from .. import __version__
from ..metrics import (
    OVERLAP_RULE,
    POLICY,
    ReliabilityBins,
    average_calibration_error,
    detection_counts,
    expected_calibration_error,
    maximum_calibration_error,
)
from .cases_csv import metric_names
from .measure import CaseResult, Row
from .metric_info import metric
from .settings import PROTOCOLS, EvaluationSettings
from .stripes import compare_stripes
from .structures import Structure

STATUSES = ("TP", "FP", "FN", "TN")
ERRORS = {
    "ece": expected_calibration_error,
    "ace": average_calibration_error,
    "mce": maximum_calibration_error,
}


def summarize(
    results: Sequence[CaseResult], structures: Sequence[Structure], settings: EvaluationSettings
) -> dict[str, Any]:
    """Summarize the results of all cases.

    Args:
        results: Results of the cases that could be measured; each holds one row per structure.
        structures: Classes and regions.
        settings: How they were measured.

    Returns:
        What was measured and how (``label_map``, ``protocol``, ``definitions``, ``empty_masks``, ``versions``),
        ``n_cases``, ``notes``, and the numbers: ``structures`` (name to ``labels`` and what `summarize_structure`
        gives), ``groups`` (group to the same without ``labels``; empty where all cases are of one group),
        ``detection`` (structure to one count per threshold) and ``calibration`` (None without probabilities). All of it
        is JSON: missing values are None.
    """
    rows = [row for one in results for row in one.rows]
    found = {str(row["group"]) for row in rows}
    groups = sorted(found - {""}) if len(found) > 1 else []  # one group would say everything twice
    numbers = _by_structure(rows)
    return {
        **_describe_settings(rows, settings),
        "n_cases": len(results),
        "notes": [*_notes(rows, structures), *_stripe_notes(results)],
        "structures": {one.name: {"labels": list(one.labels), **numbers[one.name]} for one in structures},
        "groups": {group: _by_structure([row for row in rows if row["group"] == group]) for group in groups},
        "detection": {one.name: _detection(rows, one.name, settings) for one in structures},
        "calibration": _calibration(results, structures),
    }


def summarize_structure(rows: Sequence[Row]) -> dict[str, Any]:
    """Summarize the rows of one structure, one per case.

    Returns:
        ``n`` (number of cases behind every number; 0 if no mask of any case holds the structure), ``TP`` ... ``TN``,
        and ``metrics``: for each its ``mean``, ``std`` (of the sample; None for one case), ``median``, ``q25``,
        ``q75``, ``min`` and ``max``, or None where n is 0 or the metric is not for this structure.
    """
    counts = {name: sum(row["status"] == name for row in rows) for name in STATUSES}
    n = len(rows) if counts["TN"] < len(rows) else 0
    statistics = {}
    for name in metric_names(rows):
        values = [row[name] for row in rows]
        statistics[name] = _describe(np.array(values, np.float64)) if n and None not in values else None
    return {"n": n, **counts, "metrics": statistics}


def _by_structure(rows: Sequence[Row]) -> dict[str, Any]:
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(str(row["structure"]), []).append(row)
    return {name: summarize_structure(own) for name, own in by_name.items()}


def _describe(values: np.ndarray) -> dict[str, float | None]:
    q25, median, q75 = (float(one) for one in np.percentile(values, (25, 50, 75)))
    return {
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        "median": median,
        "q25": q25,
        "q75": q75,
        "min": float(values.min()),
        "max": float(values.max()),
    }


def _detection(rows: Sequence[Row], name: str, settings: EvaluationSettings) -> list[dict[str, Any]]:
    rows = [row for row in rows if row["structure"] == name]
    volumes_ml = [row["volume_ml"] for row in rows], [row["reference_volume_ml"] for row in rows]
    return [detection_counts(*volumes_ml, threshold_ml) for threshold_ml in settings.detection_ml]


def _calibration(results: Sequence[CaseResult], structures: Sequence[Structure]) -> dict[str, Any] | None:
    found = [one.calibration for one in results if one.calibration is not None]
    if not found:
        return None
    return {
        "n_cases": len(found),
        "brier_multi_class": float(np.mean([one.brier for one in found])),
        "top_label": pooled_bins([one.top_label for one in found]),
        "structures": {one.name: pooled_bins([case.structures[one.name] for case in found]) for one in structures},
    }


def pooled_bins(images: Sequence[ReliabilityBins]) -> dict[str, Any]:
    """Describe the reliability bins of images: calibration errors, pooled and per image, and the pooled diagram."""
    pool = sum(images[1:], start=images[0])
    filled = np.maximum(pool.count, 1)
    return {
        **{
            f"{name}_{way}": value
            for name, error in ERRORS.items()
            for way, value in (("pooled", error(pool)), ("per_image", _mean([error(one) for one in images])))
        },
        "count": pool.count.tolist(),
        "mean_probability": _where(pool.count, pool.probability_sum / filled),
        "frequency": _where(pool.count, pool.positives / filled),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of the values of images that have voxels."""
    held = [value for value in values if value is not None]
    return float(np.mean(held)) if held else None


def _where(count: np.ndarray, values: np.ndarray) -> list[float | None]:
    return [float(value) if n else None for n, value in zip(count, values, strict=True)]


def _describe_settings(rows: Sequence[Row], settings: EvaluationSettings) -> dict[str, Any]:
    definitions = {name: metric(name).definition for name in metric_names(rows)}
    if settings.lesions:
        definitions["lesions"] = OVERLAP_RULE
    if settings.boundary_width_mm is not None:
        definitions["boundary_iou"] += f": {settings.boundary_width_mm:g} mm"
    return {
        "label_map": {str(old): new for old, new in settings.label_map.items()},
        "protocol": {"name": settings.protocol, "evaluated": PROTOCOLS[settings.protocol]},
        "definitions": definitions,
        "empty_masks": POLICY,
        "versions": {
            "python": platform.python_version(),
            "regionwise": __version__,  # a packed bundle carries the package without installing it
            **{name: version(name) for name in ("numpy", "scipy", "nibabel", "scikit-image")},
        },
    }


def _notes(rows: Sequence[Row], structures: Sequence[Structure]) -> list[str]:
    notes = []
    for one in structures:
        statuses = {row["status"] for row in rows if row["structure"] == one.name}
        if statuses <= {"TN"}:
            notes.append(f"{one.name} is in no reference and in no prediction: n = 0")
        elif statuses <= {"TN", "FP"}:
            notes.append(f"{one.name} is in no reference; every case that holds it is a false positive")
    return notes


def _stripe_notes(results: Sequence[CaseResult]) -> list[str]:
    """Return a note if the predictions, all cases together, look like checkerboards."""
    changes = [one.changes for one in results if one.changes is not None]
    if not changes or len({own.shape for pair in changes for own in pair}) > 1:  # 2-D and 3-D cases do not add up
        return []
    stripes = compare_stripes(*(np.sum(own, axis=0) for own in zip(*changes, strict=True)))
    if not stripes.found:
        return []
    return [
        f"striped predictions, as a checkerboard: {stripes.prediction:.0%} of their label changes along axis "
        f"{stripes.axis} come back one voxel later (references: {stripes.reference:.0%})"
    ]
