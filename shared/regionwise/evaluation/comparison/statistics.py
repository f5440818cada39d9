"""Corrections, effect sizes and claims for paired comparisons, with the patient as the unit."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ...errors import InputError
from .clusters import Values, cluster_means

TESTS = {
    "unit": "the patient: values of several frames are averaged per patient, values of several seeds per case",
    "mean_difference": "mean over patients, method minus baseline",
    "p_permutation": (
        "two-sided paired permutation test: the two values of a patient are exchanged at random, the statistic is "
        "|mean difference| (the mean of |difference|, which the paper names, does not change when values are "
        "exchanged); p = (1 + exchanges at least as extreme) / (1 + exchanges), or all 2^n exchanges where they are "
        "fewer"
    ),
    "p_wilcoxon": "Wilcoxon signed-rank test over patients, two-sided",
    "p_holm": "p_permutation after Holm's correction over metrics x structures of one comparison",
    "p_max_t": "the same family corrected by step-down maxT (Westfall and Young), where it was asked for",
    "interval": "95 % percentile bootstrap of the mean, patients and seeds drawn, 10000 resamples",
    "interval_bca": "the same, bias-corrected and accelerated",
    "effect_size": "mean difference / standard deviation of the differences (Cohen's d for pairs), over patients",
    "p_equivalence": "two one-sided t tests over patients against the margin",
    "false_claim_probability": (
        "probability that the claim 'the method with the better mean is better' is false: Phi(-|mean| sqrt(n) / sd)"
    ),
    "ranking": (
        "ranks of the methods on all patients and their shares over 1000 bootstrap samples of the patients, both by "
        "ranking the means and by averaging the ranks per patient; tau: Kendall's tau-b between sample and all patients"
    ),
    "variance": (
        "standard deviation between patients, between seeds and of the rest: mean squares of the table patients x "
        "seeds, an estimate below 0 given as 0"
    ),
    "detectable": (
        "smallest difference found with the stated power at the two-sided level, uncorrected, with the median spread "
        "of all pairs of methods over patients and of all methods over seeds"
    ),
    "claim": (
        "supported: corrected p below the level, false-claim probability below 5 %, and 0 outside the interval, which "
        "draws the seeds too; equivalent: p_equivalence below the level and that interval within the margin; otherwise "
        "not supported"
    ),
}
"""Definitions of the numbers of a comparison, by column name."""


class Equivalence(NamedTuple):
    """Result of an equivalence test.

    Attributes:
        p: The larger p of the two one-sided tests.
        low: Lower bound of the (1 - 2 level) interval of the mean difference.
        high: Upper bound; both bounds lie within the margin if p is below the level.
    """

    p: float
    low: float
    high: float


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: p_(k) -> max over j <= k of min(1, (m - j + 1) p_(j)).

    Args:
        p_values: p of each hypothesis of a family.

    Returns:
        The adjusted values in the order given; reject those below the level of the whole family.

    Examples:
        >>> [round(p, 3) for p in holm([0.03, 0.01, 0.04])]
        [0.06, 0.03, 0.06]
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1, (len(p) - np.arange(len(p))) * p[order])
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted.tolist()


def wilcoxon_test(differences: Values, clusters: Sequence[Hashable] | None = None) -> float:
    """Wilcoxon signed-rank test over patients, two-sided; p = 1 where every difference is 0."""
    d = cluster_means(differences, clusters)
    return float(stats.wilcoxon(d).pvalue) if d.any() else 1.0


def effect_size(differences: Values, clusters: Sequence[Hashable] | None = None) -> float | None:
    """Cohen's d for pairs: mean(d) / sd(d) over patients; None for fewer than two or differences that do not vary."""
    d = cluster_means(differences, clusters)
    spread = _sd(d)
    return float(d.mean() / spread) if spread else None


def equivalence_test(
    differences: Values, margin: float, clusters: Sequence[Hashable] | None = None, level: float = 0.05
) -> Equivalence | None:
    """Test that two methods differ by less than a margin: two one-sided t tests (TOST, Schuirmann 1987).

    A difference that is not significant is no proof of equality; this test is, within the margin.

    Args:
        differences: Value of one method minus value of the other, one per case.
        margin: Equivalence margin, > 0.
        clusters: Patient of each case; None: one patient per case.
        level: Level of the interval, (1 - 2 level).

    Returns:
        p and the interval; None for fewer than two patients.

    Raises:
        InputError: If the margin is not above 0 or a difference is not finite.

    Examples:
        >>> equivalence_test([0.001, -0.002, 0.0, 0.001], margin=0.01).p < 0.05
        True
    """
    if not margin > 0:
        raise InputError(f"expected a margin > 0, got {margin}")
    d = cluster_means(differences, clusters)
    if len(d) < 2:
        return None
    mean, error = float(d.mean()), _sd(d) / np.sqrt(len(d))
    if error == 0:
        return Equivalence(0.0 if abs(mean) < margin else 1.0, mean, mean)
    t = stats.t(len(d) - 1)
    p = max(t.sf((mean + margin) / error), t.cdf((mean - margin) / error))
    half = t.ppf(1 - level) * error
    return Equivalence(float(p), float(mean - half), float(mean + half))


def false_claim_probability(differences: Values, clusters: Sequence[Hashable] | None = None) -> float | None:
    """Probability that the claim "the first method is better" is false: Phi(-mean(d) sqrt(n) / sd(d)).

    That of a true mean difference <= 0 under the paired normal model with a flat prior (after Christodoulou et al.,
    False Promises in Medical Imaging AI, 2025). Above 0.05 the claim is not supported.

    Args:
        differences: Value of the method that is claimed to be better minus value of the other, one per case; change
            the sign for distances.
        clusters: Patient of each case; None: one patient per case.

    Returns:
        The probability in [0, 1]; None for fewer than two patients.

    Raises:
        InputError: If a difference is not finite.

    Examples:
        >>> round(false_claim_probability([0.01, 0.03, 0.02, -0.01]), 3)
        0.072
    """
    d = cluster_means(differences, clusters)
    if len(d) < 2:
        return None
    mean, spread = float(d.mean()), _sd(d)
    if spread == 0:
        return 0.5 if mean == 0 else float(mean < 0)
    return float(stats.norm.cdf(-mean * np.sqrt(len(d)) / spread))


def _sd(d: np.ndarray) -> float:
    """Sample standard deviation; 0 for values that differ by rounding only, and for fewer than two."""
    spread = float(d.std(ddof=1)) if len(d) > 1 else 0.0
    return spread if spread > 1e-12 * float(np.abs(d).max(initial=0)) else 0.0
