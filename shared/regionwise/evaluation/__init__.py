"""Cases to tables, statistics and a report.

What the commands `evaluate` and `compare` need beyond measuring (matplotlib, jinja2) is imported only when they run, so
that worker processes and trainings start without it.
"""

from .cases import Case, Problem
from .pairing import find_cases, pair_datalist, with_images, with_probabilities
from .settings import EvaluationSettings
from .structures import Structure, named_classes, named_regions

__all__ = [
    "Case",
    "EvaluationSettings",
    "Problem",
    "Structure",
    "find_cases",
    "named_classes",
    "named_regions",
    "pair_datalist",
    "with_images",
    "with_probabilities",
]
