"""Claims that a comparison supports: a difference, equivalence within the margin, or neither."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import InputError, did_you_mean
from ..metric_info import metric as definition

CORRECTIONS = ("holm", "max_t")
LARGEST_FALSE_CLAIM_PROBABILITY = 0.05
OVERLAP_MARGIN = 0.01
"""Margin of Dice, Jaccard and surface Dice where none is given: differences below it matter to nobody."""


@dataclass(frozen=True)
class Options:
    """Options of a comparison of methods.

    Attributes:
        permutations: Number of exchanges of the permutation test.
        level: Significance level, in (0, 1).
        seed: Seed of permutations and bootstrap.
        correction: "holm" or "max_t", within the metrics x structures of one comparison.
        margins: Metric to equivalence margin, the largest irrelevant difference.
    """

    permutations: int = 10_000
    level: float = 0.05
    seed: int = 0
    correction: str = "holm"
    margins: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reject invalid numbers.

        Raises:
            InputError: If one does not.
        """
        for name, value, lowest in (("permutations", self.permutations, 1), ("seed", self.seed, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
                raise InputError(f"expected --{name} as an integer of at least {lowest}, got {value!r}")
        if not _is_number(self.level) or not 0 < self.level < 1:
            raise InputError(f"expected --level between 0 and 1, such as 0.05, got {self.level!r}")
        if self.correction not in CORRECTIONS:
            raise InputError(f"Unknown correction '{self.correction}'; {did_you_mean(self.correction, CORRECTIONS)}")
        if not isinstance(self.margins, Mapping) or not all(_is_number(x) and x > 0 for x in self.margins.values()):
            raise InputError(f"expected --margins as {{metric: number > 0}}, got {self.margins!r}")

    def margin(self, metric: str) -> float | None:
        """Equivalence margin of a metric; None if it has none."""
        is_overlap = metric in ("dice", "jaccard") or metric.startswith("nsd_")
        return self.margins.get(metric, OVERLAP_MARGIN if is_overlap else None)


def claim(comparison: Mapping[str, Any], options: Options) -> str:
    """Return the claim that a comparison supports.

    Args:
        comparison: One of ``comparisons``, with p values, false-claim probability and mean difference.
        options: Options of the tests.

    Returns:
        ``supported: better`` (or worse; higher or lower if neither direction is better), ``equivalent within 0.01``,
        both, or ``not supported``.
    """
    parts = []
    false_claim = comparison["false_claim_probability"]
    low, high = comparison["interval"] or (0.0, 0.0)
    # The tests are over patients; the interval draws the seeds too, and refuses what another seed may undo.
    excludes_zero = low > 0 or high < 0
    is_likely = false_claim is not None and false_claim < LARGEST_FALSE_CLAIM_PROBABILITY
    if comparison["significant"] and is_likely and excludes_zero:
        up, higher_is_better = comparison["mean_difference"] > 0, definition(comparison["metric"]).higher_is_better
        words = {None: ("lower", "higher"), True: ("worse", "better"), False: ("better", "worse")}[higher_is_better]
        parts.append(f"supported: {words[up]}")
    p, margin = comparison["p_equivalence"], comparison["margin"]
    if p is not None and p < options.level and -margin < low and high < margin:
        parts.append(f"equivalent within {comparison['margin']:g}")
    return "; ".join(parts) or "not supported"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
