"""Pair methods by patient and test their differences (pure functions over results in memory)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import InputError, did_you_mean
from ..metric_info import metric as definition
from . import statistics
from .bootstrap import two_level_bootstrap
from .claims import Options, claim
from .clusters import cluster_means
from .patients import find_patients
from .permutation import cluster_permutation_test, max_t
from .readers import Key
from .results import Method, check_metrics, shared_keys
from .stability import describe_stability


@dataclass(frozen=True)
class Cell:
    """Values of one structure and metric.

    Attributes:
        values: For each method an array (cases, seeds).
        patients: Patient of each case.
    """

    values: Mapping[str, np.ndarray]
    patients: list[str]

    def differences(self, method: str, baseline: str) -> np.ndarray:
        """Method minus baseline per case, seeds averaged."""
        return self.values[method].mean(axis=1) - self.values[baseline].mean(axis=1)

    def observations(self, method: str) -> tuple[np.ndarray, list[str], list[int]]:
        """Values, patients and seeds, one of each per case and seed."""
        cases, seeds = self.values[method].shape
        patients = [patient for patient in self.patients for _ in range(seeds)]
        return self.values[method].ravel(), patients, list(range(seeds)) * cases


def compare_methods(
    methods: Sequence[Method],
    metrics: Sequence[str] = ("dice", "hd_mm"),
    baseline: str | None = None,
    inter_rater: Method | None = None,
    options: Options | None = None,
    groups: dict[str, str] | None = None,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Compare methods with a baseline, paired by patient.

    Args:
        methods: At least two.
        metrics: Names of metrics.
        baseline: Name of a method; by default the first.
        inter_rater: Second human reference against the first.
        options: Options of the tests.
        groups: Patient of each case; None: see `find_patients`.
        skip_bad: Leave out cases that a method lacks.

    Returns:
        ``methods`` (name, or "inter-rater", to seeds and, by structure and metric, n, patients, mean, sd, interval),
        ``comparisons`` (a list: one of each method, structure and metric with the baseline), ``ranking``,
        ``variance`` and ``detectable`` (see `describe_stability`), ``tests`` and ``notes``.

    Raises:
        InputError: If there are fewer than two methods, the baseline or a metric is unknown, a number is invalid,
            or there are cases that not every method has.
    """
    options = options or Options()
    baseline = _check_baseline([method.name for method in methods], baseline)
    everyone = {method.name: method for method in methods} | ({"inter-rater": inter_rater} if inter_rater else {})
    check_metrics(list(everyone.values()), metrics)
    keys, notes = _keys(list(everyone.values()), skip_bad)
    structures, absent = _structures(list(everyone.values()), keys)
    patients, source = find_patients(methods, (case for case, _ in keys), groups)
    cells = {
        (structure, metric): cell
        for structure in structures
        for metric in metrics
        if (cell := _cell(everyone, [key for key in keys if key[1] == structure], metric, patients)) is not None
    }
    if not cells:
        raise InputError(f"no structure has a value of {', '.join(metrics)} in every case of every method")
    others = [method.name for method in methods if method.name != baseline]
    return {
        "baseline": baseline,
        "metrics": {metric: definition(metric).title for metric in metrics},
        "structures": structures,
        "level": options.level,
        "margins": {metric: options.margin(metric) for metric in metrics},
        "correction": options.correction,
        "patients": {"n": len(set(patients.values())), "source": source},
        "methods": {
            name: {"seeds": len(method.runs), "structures": _describe(name, cells, options.seed)}
            for name, method in everyone.items()
        },
        "comparisons": [one for method in others for one in _compare_pair(method, baseline, cells, options)],
        **_stability(cells, [method.name for method in methods], options),
        "tests": statistics.TESTS,
        "permutations": options.permutations,
        "notes": [*absent, *(note for method in everyone.values() for note in method.notes), *notes],
    }


def _check_baseline(names: Sequence[str], baseline: str | None) -> str:
    if len(names) < 2:
        raise InputError(f"expected the results of two methods or more, got {', '.join(names) or 'none'}")
    if baseline is not None and baseline not in names:
        raise InputError(f"Unknown method '{baseline}'; {did_you_mean(baseline, names)}")
    return names[0] if baseline is None else baseline


def _keys(methods: Sequence[Method], skip_bad: bool) -> tuple[list[Key], list[str]]:
    """Return the cases and structures to compare, and a note for each that was left out."""
    keys, problems = shared_keys(methods)
    if not keys:
        raise InputError(f"{' and '.join(method.name for method in methods)} have no case and structure in common")
    if problems and not skip_bad:
        head = f"results without a partner: {len(problems)}; evaluate the same cases, or pass --skip_bad to leave out:"
        raise InputError("\n  ".join([head, *problems]))
    return keys, [f"left out {problem}" for problem in problems]


def _structures(methods: Sequence[Method], keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    """Return the structures that some mask holds, and a note for each that none does."""
    names = dict.fromkeys(name for _, name in keys)
    held = {key[1] for key in keys for method in methods for run in method.runs if run[key]["status"] != "TN"}
    notes = [f"{name} is in no reference and in no prediction: n = 0" for name in names if name not in held]
    return [name for name in names if name in held], notes


def _cell(methods: Mapping[str, Method], keys: Sequence[Key], metric: str, patients: Mapping[str, str]) -> Cell | None:
    """Return the values of a structure and metric, None where some case has none."""
    values = {name: [method.values(key, metric) for key in keys] for name, method in methods.items()}
    if any(one is None for own in values.values() for one in own):
        return None
    return Cell({name: np.array(own) for name, own in values.items()}, [patients[case] for case, _ in keys])


def _compare_pair(
    method: str, baseline: str, cells: Mapping[tuple[str, str], Cell], options: Options
) -> list[dict[str, Any]]:
    found = []
    for (structure, metric), cell in cells.items():
        one: dict[str, Any] = {"method": method, "baseline": baseline, "structure": structure, "metric": metric}
        found.append(one | _test(cell, method, baseline, metric, options))
    corrected = {"p_holm": statistics.holm([one["p_permutation"] for one in found])}
    if options.correction == "max_t":
        corrected["p_max_t"] = _max_t([(cell, cell.differences(method, baseline)) for cell in cells.values()], options)
    for name, values in corrected.items():
        for one, p in zip(found, values, strict=True):
            one[name] = p
    for one in found:
        one["significant"] = one[f"p_{options.correction}"] < options.level
        one["claim"] = claim(one, options)
    return found


def _test(cell: Cell, method: str, baseline: str, metric: str, options: Options) -> dict[str, Any]:
    """Test the difference of two methods in one structure and metric."""
    d, patients = cell.differences(method, baseline), cell.patients
    means = cluster_means(d, patients)
    interval = two_level_bootstrap(*cell.observations(method), minus=cell.observations(baseline), seed=options.seed)
    margin = options.margin(metric)
    equivalence = statistics.equivalence_test(d, margin, patients, options.level) if margin else None
    return {
        "n": len(d),
        "patients": len(means),
        "mean_difference": float(means.mean()),
        "interval": interval and (interval.low, interval.high),
        "interval_bca": interval and (interval.bca_low, interval.bca_high),
        "intervals_differ": bool(interval and interval.methods_differ),
        "p_permutation": cluster_permutation_test(d, patients, options.permutations, options.seed),
        "p_wilcoxon": statistics.wilcoxon_test(d, patients),
        "effect_size": statistics.effect_size(d, patients),
        "margin": margin,
        "p_equivalence": equivalence and equivalence.p,
        "false_claim_probability": statistics.false_claim_probability(means if means.mean() >= 0 else -means),
    }


def _stability(
    cells: Mapping[tuple[str, str], Cell], methods: Sequence[str], options: Options
) -> dict[str, list[dict[str, Any]]]:
    tested = {key: ({method: cell.values[method] for method in methods}, cell.patients) for key, cell in cells.items()}
    return describe_stability(tested, options.level, options.seed)


def _max_t(cells: Sequence[tuple[Cell, np.ndarray]], options: Options) -> list[float]:
    patients = cells[0][0].patients
    if any(cell.patients != patients for cell, _ in cells):
        raise InputError("--correction max_t needs the same cases for every structure; use holm")
    differences = np.stack([d for _, d in cells], axis=1)
    return max_t(differences, patients, options.permutations, options.seed)


def _describe(method: str, cells: Mapping[tuple[str, str], Cell], seed: int) -> dict[str, dict[str, Any]]:
    described: dict[str, dict[str, Any]] = {}
    for (structure, metric), cell in cells.items():
        values, patients, seeds = cell.observations(method)
        own = cluster_means(cell.values[method].mean(axis=1), cell.patients)
        interval = two_level_bootstrap(values, patients, seeds, seed=seed)
        described.setdefault(structure, {})[metric] = {
            "n": len(cell.patients),
            "patients": len(own),
            "mean": float(own.mean()),
            "sd": float(own.std(ddof=1)) if len(own) > 1 else None,
            "interval": interval and (interval.low, interval.high),
        }
    return described
