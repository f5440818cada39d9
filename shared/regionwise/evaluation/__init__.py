"""Cases to tables, statistics and a report.

The modules of the commands, `evaluate` (with `evaluate_cases` for Python) and `compare`, are not imported here, so that
worker processes start without what only a report needs.
"""

from .cases import Case, Problem
from .pairing import find_cases, pair_datalist, with_images, with_probabilities
from .settings import Settings
from .structures import Structure, named_classes, named_regions

__all__ = [
    "Case",
    "Problem",
    "Settings",
    "Structure",
    "find_cases",
    "named_classes",
    "named_regions",
    "pair_datalist",
    "with_images",
    "with_probabilities",
]
