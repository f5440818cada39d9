"""``python -m regionwise compare``: results of several methods in, paired statistics and a table for the paper out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, did_you_mean
from ...files import write_json, write_text
from ..metric_info import metric as definition
from . import statistics, tables
from .results import Key, Method, check_metrics, read_methods, shared_keys


def compare(
    results: str | Sequence[str],
    *more: str,
    out: str | os.PathLike | None = None,
    metrics: str | Sequence[str] = ("dice", "hd_mm"),
    baseline: str | None = None,
    inter_rater: str | None = None,
    permutations: int = 10_000,
    level: float = 0.05,
    seed: int = 0,
    skip_bad: bool = False,
) -> int:
    """Compare methods on the same cases: --results A B ... --out DIR (or A,B).

    Writes table.md, table.tex and table.csv (means in the style of the paper's Tables 2-4), statistics.csv (one line a
    comparison) and comparison.json. Several seeds of a method are averaged per case first.

    Args:
        results: for each method DIR or NAME=DIR: a folder written by evaluate, or a folder of such folders, one a seed.
        more: further results.
        out: folder to write to.
        metrics: columns of cases.csv to compare.
        baseline: the method that the others are compared with; by default the first.
        inter_rater: results of a second human reference against the first, shown as a row of its own, not tested.
        permutations: exchanges of the permutation test.
        level: significance, after Holm's correction over metrics x structures.
        seed: of permutations and bootstrap.
        skip_bad: compare the cases that all methods have, and say which were left out.

    Returns:
        0.
    """
    if out is None:
        raise InputError("'compare' needs --out; see python -m regionwise compare --help")
    given = [*(results.split(",") if isinstance(results, str) else results), *more]
    methods = read_methods([str(one) for one in given])
    comparison = compare_methods(
        methods,
        metrics=[name.strip() for name in metrics.split(",")] if isinstance(metrics, str) else list(metrics),
        baseline=baseline,
        inter_rater=read_methods([inter_rater])[0] if inter_rater is not None else None,
        permutations=permutations,
        level=level,
        seed=seed,
        skip_bad=skip_bad,
    )
    out = Path(out)
    table = tables.markdown(comparison)
    write_text(out / "table.md", table)
    write_text(out / "table.tex", tables.latex(comparison))
    write_text(out / "table.csv", tables.means_csv(comparison))
    write_text(out / "statistics.csv", tables.statistics_csv(comparison))
    write_json(out / "comparison.json", comparison)
    print(table)
    return 0


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
        methods: at least two.
        metrics: as in `compare`, like the other arguments.
        baseline: name of a method.
        inter_rater: second human reference against the first.
        permutations: exchanges.
        level: significance.
        seed: of permutations and bootstrap.
        skip_bad: leave out cases that a method lacks.

    Returns:
        ``methods`` (name, or "inter-rater", to seeds and, by structure and metric, n, mean, sd, interval),
        ``comparisons`` (a list: one of each method, structure and metric with the baseline), ``tests`` and ``notes``.

    Raises:
        InputError: fewer than two methods, an unknown baseline or metric, or cases that not every method has.
    """
    names = [method.name for method in methods]
    if len(methods) < 2:
        raise InputError(f"expected the results of two methods or more, got {', '.join(names) or 'none'}")
    baseline = names[0] if baseline is None else baseline
    if baseline not in names:
        raise InputError(f"there is no method '{baseline}'; {did_you_mean(baseline, names)}")
    everyone = [*methods, *([inter_rater] if inter_rater else [])]
    check_metrics(everyone, metrics)
    keys, problems = shared_keys(everyone)
    if not keys:
        raise InputError(f"{' and '.join(method.name for method in everyone)} have no case and structure in common")
    if problems and not skip_bad:
        head = (
            f"results without a partner: {len(problems)}; evaluate the same cases, or pass --skip-bad to go on without:"
        )
        raise InputError("\n  ".join([head, *problems]))
    structures, notes = _structures(everyone, keys)
    values = {
        (method.name, name, metric): [method.value(key, metric) for key in keys if key[1] == name]
        for method in methods
        for name in structures
        for metric in metrics
    }
    rater = {
        ("inter-rater", name, metric): [inter_rater.value(key, metric) for key in keys if key[1] == name]
        for name in (structures if inter_rater else ())
        for metric in metrics
    }
    wanted = [(name, metric) for name in structures for metric in metrics if None not in values[baseline, name, metric]]
    comparisons = []
    for method in names:
        if method != baseline:
            comparisons += _compare_pair(method, baseline, wanted, values, (permutations, seed))
    for one in comparisons:
        one["significant"] = one["p_holm"] < level
    seeds = {**{method.name: len(method.runs) for method in methods}, "inter-rater": 1}
    return {
        "baseline": baseline,
        "metrics": {metric: definition(metric).title for metric in metrics},
        "structures": structures,
        "level": level,
        "methods": {
            name: {"seeds": seeds[name], "structures": _describe(name, wanted, {**values, **rater}, seed)}
            for name in [*names, *(["inter-rater"] if inter_rater else [])]
        },
        "comparisons": comparisons,
        "tests": {
            "p_permutation": f"{statistics.PERMUTATION_TEST}; at most {permutations} exchanges",
            "p_wilcoxon": "Wilcoxon signed-rank test, two-sided",
            "p_holm": "p_permutation after Holm's correction over metrics x structures of one comparison",
            "interval": "95 % percentile bootstrap over cases, 10000 resamples",
            "effect_size": "mean difference / standard deviation of the differences (Cohen's d for pairs)",
            "seeds": "values of several seeds are averaged per case first",
        },
        "notes": [*notes, *(f"left out {problem}" for problem in problems)],
    }


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
    values: dict[tuple[str, str, str], list[float]],
    randomness: tuple[int, int],
) -> list[dict[str, Any]]:
    permutations, seed = randomness
    found = []
    for structure, metric in wanted:
        d = np.subtract(values[method, structure, metric], values[baseline, structure, metric])
        found.append(
            {
                "method": method,
                "baseline": baseline,
                "class": structure,
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
    return found


def _describe(
    method: str, wanted: Sequence[tuple[str, str]], values: dict[tuple[str, str, str], list[float]], seed: int
) -> dict[str, dict[str, Any]]:
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
