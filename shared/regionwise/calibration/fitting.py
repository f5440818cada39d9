"""Fit margins, scaling and volumes on calibration cases, and measure what the scaling changes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..evaluation.cases import Case
from ..evaluation.settings import EvaluationSettings
from ..evaluation.structures import Structure
from ..metrics import (
    ReliabilityBins,
    average_calibration_error,
    average_calibration_error_by_chance,
    expected_calibration_error,
    maximum_calibration_error,
)
from ..uncertainty import conformal_margin_mm, needed_margin_mm
from ..uncertainty.margins import check_promise
from .cases import StructureCalibration, margin_distances, measure_calibration, sample_voxels
from .isotonic import fit_isotonic
from .lead import fit_lead
from .local import fit_local, local_features
from .record import Calibrator, as_number
from .scaling import fit_scaling
from .volumes import fit_line, fit_volumes

SAMPLE = 400_000
"""Voxels that the scaling is fitted on, of all cases together."""

Measured = dict[str, list[dict[str, StructureCalibration]]]


def find_margins(
    cases: Sequence[Case],
    patients: Sequence[str],
    structures: Sequence[Structure],
    settings: EvaluationSettings,
    alpha: float,
    inside: float,
) -> dict[str, Any]:
    """Find the outer and inner margin of each structure; the frames of a patient are put together.

    Raises:
        InputError: If there are too few patients for alpha.
    """
    names = list(dict.fromkeys(patients))
    check_promise(len(names), alpha)
    parts: dict[str, dict[str, list[tuple[np.ndarray, np.ndarray]]]] = {
        one.name: {name: [] for name in names} for one in structures
    }
    for case, patient in zip(cases, patients, strict=True):
        for structure, distances in margin_distances(case, structures, settings).items():
            parts[structure][patient].append(distances)
    found = {}
    for structure, by_patient in parts.items():
        outer, inner = (
            [np.concatenate([pair[side] for pair in one]) for one in by_patient.values()] for side in (0, 1)
        )
        found[structure] = {
            "outer": as_number(conformal_margin_mm(outer, alpha, inside)),
            "inner": as_number(conformal_margin_mm(inner, alpha, inside)),
            "largest_needed": as_number(max(needed_margin_mm(one, inside) for one in outer)),
            "patients_without": sum(not one.size for one in outer),
        }
    floor = 1 / (len(names) + 1)
    return {"alpha": alpha, "inside": inside, "n": len(names), "floor": floor, "structures": found}


def fit_cases(cases: Sequence[Case], settings: EvaluationSettings, method: str) -> Calibrator:
    """Fit a method of `METHODS_OF_PROBABILITIES` on voxels of cases, which all count alike."""
    random = np.random.default_rng(0)
    features = local_features if method == "local" else None
    samples = [sample_voxels(case, settings, max(SAMPLE // len(cases), 2), random, features) for case in cases]
    logits, labels, weights, seen = (torch.cat(parts) for parts in zip(*samples, strict=True))
    if method == "isotonic":
        return fit_isotonic(logits, labels, weights)
    if method == "lead":
        return fit_lead(logits, labels, weights)
    if method == "local":
        return fit_local(logits, labels, seen, weights)
    return fit_scaling(logits, labels, method, weights)


def measure_cross_fitted(
    cases: Sequence[Case],
    patients: Sequence[str],
    structures: Sequence[Structure],
    settings: EvaluationSettings,
    method: str,
    scaling: Calibrator,
) -> Measured:
    """Measure before, after (each half of the patients scaled as the other half says) and with the final scaling."""
    order = {name: number for number, name in enumerate(dict.fromkeys(patients))}
    half = [order[name] % 2 for name in patients]
    halves = [[case for case, own in zip(cases, half, strict=True) if own == side] for side in (0, 1)]
    if not all(halves):
        raise InputError("expected at least two patients to calibrate with, found one")
    of_others = [fit_cases(halves[1 - side], settings, method) for side in (0, 1)]
    found: Measured = {"before": [], "after": [], "final": []}
    for case, own in zip(cases, half, strict=True):
        measured = measure_calibration(case, structures, settings, [None, of_others[own], scaling])
        for way, one in zip(found, measured, strict=True):
            found[way].append(one)
    return found


def describe(
    measured: Measured,
    structures: Sequence[Structure],
    method: str,
    scaling: Calibrator,
) -> dict[str, Any]:
    """Return the sections ``scaling``, ``calibration`` and ``volumes`` of the record."""
    volumes = {}
    for one in structures:
        expected, reference = (
            [getattr(case[one.name], key) for case in measured["final"]] for key in ("expected_ml", "reference_ml")
        )
        fitted = fit_volumes(expected, reference)
        slope, intercept = fit_line(expected, reference)
        volumes[one.name] = {
            "expected_ml": list(fitted.expected_ml),
            "reference_ml": list(fitted.reference_ml),
            "slope": slope,
            "intercept_ml": intercept,
            "error_before_ml": float(np.mean(np.abs(np.subtract(expected, reference)))),
            "error_after_ml": _left_out_error(expected, reference),
        }
    return {
        "scaling": {"method": method, **{key: list(value) for key, value in vars(scaling).items()}},
        "calibration": {way: _scores(measured[way], structures) for way in ("before", "after")},
        "volumes": volumes,
    }


def _left_out_error(expected: Sequence[float], reference: Sequence[float]) -> float | None:
    """Return the mean absolute error of the volume of each case, recalibrated with the others."""
    if len(expected) < 3:
        return None
    errors = []
    for index, (volume, truth) in enumerate(zip(expected, reference, strict=True)):
        others = [[value for place, value in enumerate(side) if place != index] for side in (expected, reference)]
        errors.append(abs(fit_volumes(*others)(volume) - truth))
    return float(np.mean(errors))


def pool(
    measured: Sequence[dict[str, StructureCalibration]], structures: Sequence[Structure]
) -> dict[str, ReliabilityBins]:
    """Pool the reliability bins of the cases, per structure."""
    found = {}
    for one in structures:
        bins = [case[one.name].bins for case in measured]
        found[one.name] = sum(bins[1:], start=bins[0])
    return found


def _scores(measured: Sequence[dict[str, StructureCalibration]], structures: Sequence[Structure]) -> dict[str, Any]:
    found, pooled = {}, pool(measured, structures)
    for one in structures:
        own = [case[one.name] for case in measured]
        found[one.name] = {
            "ece_pooled": expected_calibration_error(pooled[one.name]),
            "ece": _mean([expected_calibration_error(case.bins) for case in own]),
            "ace_pooled": average_calibration_error(pooled[one.name]),
            "ace": _mean([average_calibration_error(case.bins) for case in own]),
            "ace_by_chance": _mean([average_calibration_error_by_chance(case.bins) for case in own]),
            "mce": _mean([maximum_calibration_error(case.bins) for case in own]),
            "brier": _mean([case.brier for case in own]),
            "nll": _mean([case.nll for case in own]),
            "dice": _mean([case.dice for case in own]),
            "volume_bias_ml": _mean([case.expected_ml - case.reference_ml for case in own]),
        }
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    held = [value for value in values if value is not None]
    return float(np.mean(held)) if held else None
