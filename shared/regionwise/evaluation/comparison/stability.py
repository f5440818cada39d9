"""Stability of a comparison: rank distributions, variance components, and the difference that its size can show."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..metric_info import metric as definition
from .clusters import cluster_means
from .ranking import ORDERS, bootstrap_ranks
from .variance import detectable_difference, variance_components

Values = Mapping[str, np.ndarray]


def describe_stability(
    cells: Mapping[tuple[str, str], tuple[Values, list[str]]], level: float, seed: int, power: float = 0.8
) -> dict[str, list[dict[str, Any]]]:
    """Describe how far ranks and means of methods depend on the patients and seeds at hand.

    Args:
        cells: (structure, metric) to the values of each method (cases, seeds) and the patient of each case.
        level: Two-sided level of the detectable difference.
        seed: Seed of the bootstrap.
        power: Its power.

    Returns:
        ``ranking`` (one of each structure, metric and aggregation order), ``variance`` (one of each structure, metric
        and method) and ``detectable`` (one of each structure and metric).
    """
    ranking: list[dict[str, Any]] = []
    variance: list[dict[str, Any]] = []
    detectable: list[dict[str, Any]] = []
    for (structure, metric), (values, patients) in cells.items():
        where = {"structure": structure, "metric": metric}
        tables = {method: cluster_means(own, patients) for method, own in values.items()}
        means = {method: table.mean(axis=1) for method, table in tables.items()}
        better = definition(metric).higher_is_better
        if better is not None:
            ranking += [
                where | {"order": order} | bootstrap_ranks(means, better, order, seed=seed)._asdict()
                for order in ORDERS
            ]
        components = {method: variance_components(table) for method, table in tables.items()}
        variance += [
            where | {"method": method} | one._asdict() for method, one in components.items() if one is not None
        ]
        detectable += [where | one for one in _detectable(tables, means, components, level, power)]
    return {"ranking": ranking, "variance": variance, "detectable": detectable}


def _detectable(
    tables: Values, means: Values, components: Mapping[str, Any], level: float, power: float
) -> list[dict[str, Any]]:
    """Return the detectable difference of two methods with the median spread of all pairs; none for one patient."""
    names = list(means)
    spreads = [(means[a] - means[b]).std(ddof=1) for i, a in enumerate(names) for b in names[:i] if len(means[a]) > 1]
    if not spreads:
        return []
    seeds = min(table.shape[1] for table in tables.values())
    between_seeds = [one.seed for one in components.values() if one is not None and one.seed is not None]
    sd_difference, sd_seed = float(np.median(spreads)), float(np.median(between_seeds)) if between_seeds else 0.0
    patients = len(next(iter(means.values())))
    difference = detectable_difference(patients, seeds, sd_difference, sd_seed, level, power)
    spread = {"sd_difference": sd_difference, "sd_seed": sd_seed if between_seeds else None}
    return [{"patients": patients, "seeds": seeds, **spread, "power": power, "difference": difference}]
