"""Evaluation of segmentations: per-case metrics, summary, report and comparison of methods.

`evaluate_cases` and the statistics are imported on first use, so that worker processes and trainings start without
SciPy's statistics, matplotlib and jinja2.
"""

from importlib import import_module
from typing import Any

from .cases import Case, Problem
from .pairing import find_cases, pair_datalist, with_images, with_probabilities
from .settings import EvaluationSettings
from .structures import Structure, named_classes, named_regions

_ON_USE = {
    "evaluate_cases": ".evaluate",
    "cluster_permutation_test": ".comparison.permutation",
    "max_t": ".comparison.permutation",
    "two_level_bootstrap": ".comparison.bootstrap",
    "equivalence_test": ".comparison.statistics",
    "false_claim_probability": ".comparison.statistics",
    "holm": ".comparison.statistics",
    "bootstrap_ranks": ".comparison.ranking",
    "detectable_difference": ".comparison.variance",
    "variance_components": ".comparison.variance",
}

__all__ = [
    "Case",
    "EvaluationSettings",
    "Problem",
    "Structure",
    "bootstrap_ranks",
    "cluster_permutation_test",
    "detectable_difference",
    "equivalence_test",
    "evaluate_cases",
    "false_claim_probability",
    "find_cases",
    "holm",
    "max_t",
    "named_classes",
    "named_regions",
    "pair_datalist",
    "two_level_bootstrap",
    "variance_components",
    "with_images",
    "with_probabilities",
]


def __getattr__(name: str) -> Any:
    """Import a name of `_ON_USE`."""
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ON_USE[name], __name__), name)
