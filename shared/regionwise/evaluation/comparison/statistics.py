"""Paired statistics of two methods on the same cases. Cases count as independent: frames of one patient are not."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

TESTS = {
    "p_permutation": (
        "two-sided paired permutation test: the two values of a case are exchanged at random, the statistic is |mean "
        "difference| (the mean of |difference|, which the paper names, does not change when values are exchanged); "
        "p = (1 + exchanges at least as extreme) / (1 + exchanges), or all 2^n exchanges where they are fewer"
    ),
    "p_wilcoxon": "Wilcoxon signed-rank test, two-sided",
    "p_holm": "p_permutation after Holm's correction over metrics x structures of one comparison",
    "interval": "95 % percentile bootstrap over cases, 10000 resamples",
    "effect_size": "mean difference / standard deviation of the differences (Cohen's d for pairs)",
    "seeds": "values of several seeds are averaged per case first",
}
"""How the numbers of a comparison are computed, by the names of their columns."""


def permutation_test(differences: Sequence[float], permutations: int = 10_000, seed: int = 0) -> float:
    """Paired two-sample permutation test with the statistic |mean(d)|.

    Exchanging the two values of a case changes the sign of its difference. Where 2^n signs are no more than
    ``permutations`` all of them are counted and p is exact.

    Args:
        differences: one a case, value of one method minus value of the other.
        permutations: random exchanges.
        seed: of the exchanges.

    Returns:
        p in (0, 1]; 1 without cases.
    """
    d = np.asarray(differences, np.float64)
    exact = 2.0 ** len(d) <= permutations
    if exact:
        signs = 1 - 2 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
    else:
        signs = 1 - 2 * np.random.default_rng(seed).integers(0, 2, (permutations, len(d)), dtype=np.int8)
    # Sums that are equal on paper differ by rounding.
    slack = 1e-12 * np.abs(d).sum()
    extreme = int(np.count_nonzero(np.abs(signs @ d) >= abs(d.sum()) - slack))
    return extreme / len(signs) if exact else (1 + extreme) / (1 + permutations)


def wilcoxon_test(differences: Sequence[float]) -> float:
    """Wilcoxon signed-rank test, two-sided; p = 1 where every difference is 0."""
    d = np.asarray(differences, np.float64)
    return float(stats.wilcoxon(d).pvalue) if d.any() else 1.0


def bootstrap_interval(
    values: Sequence[float], level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a mean.

    Args:
        values: one a case.
        level: coverage.
        resamples: how many times cases are drawn with replacement.
        seed: of the draws.

    Returns:
        Lower and upper bound; None for fewer than two cases.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: p_(k) -> max over j <= k of min(1, (m - j + 1) p_(j)).

    Returns:
        The adjusted values in the order given; reject those below the level of the whole family.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1, (len(p) - np.arange(len(p))) * p[order])
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted.tolist()


def effect_size(differences: Sequence[float]) -> float | None:
    """Cohen's d for pairs, mean(d) / sd(d); None for fewer than two cases or differences that do not vary."""
    d = np.asarray(differences, np.float64)
    spread = d.std(ddof=1) if len(d) > 1 else 0.0
    return float(d.mean() / spread) if spread > 0 else None
