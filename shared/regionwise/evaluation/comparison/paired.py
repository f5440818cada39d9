"""Pair methods by case and test their differences: pure functions over results that are in memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import InputError, did_you_mean
from ..metric_info import metric as definition
from . import statistics
from .results import Key, Method, check_metrics, shared_keys

Values = dict[tuple[str, str, str], list[float | None]]


def compare_methods(
    methods: Sequence[Method],
    metrics: Sequence[str] = ("dice", "hd_mm"),
    baseline: str | None = None,
    inter_rater: Method | None = None,
    permutations: int = 10_000,
    level: float = 0.05,
    seed: int = 0,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Compare methods with a baseline, paired by case.

    Args:
        methods: At least two.
        metrics: Names of metrics; the other arguments are those of `compare`, too.
        baseline: Name of a method; by default the first.
        inter_rater: Second human reference against the first.
        permutations: Number of exchanges.
        level: Significance level, in (0, 1).
        seed: Seed of permutations and bootstrap.
        skip_bad: Leave out cases that a method lacks.

    Returns:
        ``methods`` (name, or "inter-rater", to seeds and, by structure and metric, n, mean, sd, interval),
        ``comparisons`` (a list: one of each method, structure and metric with the baseline), ``tests`` and ``notes``.

    Raises:
        InputError: If there are fewer than two methods, the baseline or a metric is unknown, a number makes no sense,
            or there are cases that not every method has.
    """
    _check_numbers(permutations, level, seed)
    baseline = _check_baseline([method.name for method in methods], baseline)
    everyone = {method.name: method for method in methods} | ({"inter-rater": inter_rater} if inter_rater else {})
    check_metrics(list(everyone.values()), metrics)
    keys, notes = _keys(list(everyone.values()), skip_bad)
    structures, absent = _structures(list(everyone.values()), keys)
    values = {
        (name, structure, metric): [method.value(key, metric) for key in keys if key[1] == structure]
        for name, method in everyone.items()
        for structure in structures
        for metric in metrics
    }
    wanted = [(name, metric) for name in structures for metric in metrics if None not in values[baseline, name, metric]]
    comparisons = [
        one
        for method in methods
        if method.name != baseline
        for one in _compare_pair(method.name, baseline, wanted, values, (permutations, seed, level))
    ]
    return {
        "baseline": baseline,
        "metrics": {metric: definition(metric).title for metric in metrics},
        "structures": structures,
        "level": level,
        "methods": {
            name: {"seeds": len(method.runs), "structures": _describe(name, wanted, values, seed)}
            for name, method in everyone.items()
        },
        "comparisons": comparisons,
        "tests": statistics.TESTS,
        "permutations": permutations,
        "notes": [*absent, *notes],
    }


def _check_numbers(permutations: int, level: float, seed: int) -> None:
    for name, value, lowest in (("permutations", permutations, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise InputError(f"expected --{name} as an integer of at least {lowest}, got {value!r}")
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise InputError(f"expected --level between 0 and 1, such as 0.05, got {level!r}")


def _check_baseline(names: Sequence[str], baseline: str | None) -> str:
    if len(names) < 2:
        raise InputError(f"expected the results of two methods or more, got {', '.join(names) or 'none'}")
    if baseline is not None and baseline not in names:
        raise InputError(f"there is no method '{baseline}'; {did_you_mean(baseline, names)}")
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


def _compare_pair(
    method: str,
    baseline: str,
    wanted: Sequence[tuple[str, str]],
    values: Values,
    options: tuple[int, int, float],
) -> list[dict[str, Any]]:
    permutations, seed, level = options
    found = []
    for structure, metric in wanted:
        d = np.subtract(values[method, structure, metric], values[baseline, structure, metric])
        found.append(
            {
                "method": method,
                "baseline": baseline,
                "structure": structure,
                "metric": metric,
                "n": len(d),
                "mean_difference": float(d.mean()),
                "interval": statistics.bootstrap_interval(d, seed=seed),
                "p_permutation": statistics.permutation_test(d, permutations, seed),
                "p_wilcoxon": statistics.wilcoxon_test(d),
                "effect_size": statistics.effect_size(d),
            }
        )
    for one, p in zip(found, statistics.holm([one["p_permutation"] for one in found]), strict=True):
        one["p_holm"] = p
        one["significant"] = p < level
    return found


def _describe(method: str, wanted: Sequence[tuple[str, str]], values: Values, seed: int) -> dict[str, dict[str, Any]]:
    described: dict[str, dict[str, Any]] = {}
    for structure, metric in wanted:
        own = np.array(values[method, structure, metric])
        described.setdefault(structure, {})[metric] = {
            "n": len(own),
            "mean": float(own.mean()),
            "sd": float(own.std(ddof=1)) if len(own) > 1 else None,
            "interval": statistics.bootstrap_interval(own, seed=seed),
        }
    return described
