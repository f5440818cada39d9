"""Rank distributions over bootstrap samples of the patients, and their agreement with the ranking of all patients."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ...errors import InputError, did_you_mean

ORDERS = ("mean_then_rank", "rank_then_mean")
"""Aggregation orders: rank the mean values of the methods, or rank the methods per patient and average the ranks."""


class Ranking(NamedTuple):
    """Ranks of methods, 1 the best, and how they vary over bootstrap samples of the patients.

    Attributes:
        ranks: Rank of each method on all patients; tied methods share the mean of their ranks.
        shares: For each method, the share of bootstrap samples in which it has rank 1, 2, ...; tied methods share the
            best of their ranks.
        tau: Mean Kendall's tau-b between the ranking of a bootstrap sample and that of all patients.
        tau_low: The 2.5th percentile of that tau.
    """

    ranks: dict[str, float]
    shares: dict[str, list[float]]
    tau: float
    tau_low: float


def bootstrap_ranks(
    values: Mapping[str, Sequence[float] | np.ndarray],
    higher_is_better: bool = True,
    order: str = "mean_then_rank",
    resamples: int = 1000,
    seed: int = 0,
) -> Ranking:
    """Rank distribution of methods over bootstrap samples of the patients (as in challengeR, Wiesenfarth et al. 2021).

    Args:
        values: For each method one finite value per patient, in the same order of patients.
        higher_is_better: False for distances.
        order: One of `ORDERS`. The two can disagree: one patient can decide a mean, never a mean rank.
        resamples: Number of bootstrap samples.
        seed: Seed of the draws.

    Raises:
        InputError: If there are fewer than two methods or no patients, the numbers of patients differ, a value is not
            finite, or the order is unknown.

    Examples:
        >>> ranking = bootstrap_ranks({"a": [0.9, 0.8, 0.9], "b": [0.7, 0.7, 0.8]})
        >>> ranking.ranks, ranking.shares["a"], round(ranking.tau, 6)
        ({'a': 1.0, 'b': 2.0}, [1.0, 0.0], 1.0)
    """
    if order not in ORDERS:
        raise InputError(f"Unknown order '{order}'; {did_you_mean(order, ORDERS)}")
    lengths = {len(one) for one in values.values()}
    if len(values) < 2 or len(lengths) != 1 or 0 in lengths:
        raise InputError("expected two methods or more with one value per patient each")
    scores = np.array(list(values.values()), np.float64) * (-1 if higher_is_better else 1)
    if not np.isfinite(scores).all():
        raise InputError("expected finite values, found NaN or infinity")
    if order == "rank_then_mean":
        scores = stats.rankdata(scores, axis=0)
    n = scores.shape[1]
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples) / n
    # Means that are equal on paper differ by rounding, and are ties.
    full = np.round(scores.mean(axis=1), 12)
    means = np.round(scores @ weights.T, 12)
    best = stats.rankdata(means, axis=0, method="min").astype(int)
    taus = np.nan_to_num([stats.kendalltau(full, one).statistic for one in means.T])
    return Ranking(
        dict(zip(values, stats.rankdata(full).tolist(), strict=True)),
        {
            name: (np.bincount(own - 1, minlength=len(values)) / resamples).tolist()
            for name, own in zip(values, best, strict=True)
        },
        float(taus.mean()),
        float(np.quantile(taus, 0.025)),
    )
