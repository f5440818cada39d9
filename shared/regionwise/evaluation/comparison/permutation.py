"""Sign-flip permutation tests with the patient as the unit.

SciPy's ``permutation_test`` (``permutation_type="samples"``) gives the same p for one value per patient where all
exchanges are counted (tested to 1e-12). It draws random exchanges one row at a time (ten times slower for 1,000
patients), knows no clusters, and cannot use the same exchanges for several hypotheses, which `max_t` needs.
"""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from ...errors import InputError
from .clusters import Values, cluster_means

# Signs in memory at a time.
_BATCH = 1 << 22


def cluster_permutation_test(
    differences: Values,
    clusters: Sequence[Hashable] | None = None,
    permutations: int = 10_000,
    seed: int = 0,
) -> float:
    """Paired permutation test of two methods, two-sided; the two values of a *patient* are exchanged, all at once.

    Frames of one patient are correlated: exchanging them one by one finds differences that do not exist. The statistic
    is |mean over patients of the patient's mean difference|. Where the 2^n exchanges of n patients are no more than
    ``permutations``, all of them are counted and p is exact; else p = (1 + at least as extreme) / (1 + permutations).

    Args:
        differences: Value of one method minus value of the other, one per case.
        clusters: Patient of each case; None: one patient per case.
        permutations: Number of random exchanges.
        seed: Seed of the exchanges.

    Returns:
        p in (0, 1]; 1 without cases.

    Raises:
        InputError: If a difference is not finite, or there are not as many clusters as differences.

    Examples:
        >>> cluster_permutation_test([1, 2, 3])  # +++ and --- of eight
        0.25
        >>> cluster_permutation_test([1, 2, 3, 3], ["a", "a", "b", "b"])  # two patients: 1.5 and 3
        0.5
    """
    d = cluster_means(differences, clusters)
    # Sums that are equal on paper differ by rounding.
    limit = abs(d.sum()) - 1e-12 * np.abs(d).sum()
    extreme = total = 0
    for signs in _signs(len(d), permutations, seed):
        extreme += int(np.count_nonzero(np.abs(signs @ d) >= limit))
        total += len(signs)
    return extreme / total if _is_exact(len(d), permutations) else (1 + extreme) / (1 + total)


def max_t(
    differences: np.ndarray,
    clusters: Sequence[Hashable] | None = None,
    permutations: int = 10_000,
    seed: int = 0,
) -> list[float]:
    """Adjusted p of several hypotheses on the same cases (step-down maxT, Westfall & Young 1993).

    Controls the probability of any false rejection, as `holm` does, and rejects more where the hypotheses (metrics)
    are correlated: each exchange is made in all hypotheses at once, and compared by the largest |t|.

    Args:
        differences: Float array (cases, hypotheses).
        clusters: Patient of each case; None: one patient per case.
        permutations: Number of random exchanges; all are enumerated if there are fewer.
        seed: Seed of the exchanges.

    Returns:
        The adjusted p of each hypothesis, in (0, 1].

    Raises:
        InputError: If a difference is not finite, or the array has not two axes.
    """
    if np.ndim(differences) != 2:
        raise InputError(f"expected differences of shape (cases, hypotheses), found {np.shape(differences)}")
    d = cluster_means(differences, clusters)
    if not d.size:
        return [1.0] * d.shape[1]
    # |t| of n values grows with |sum| / sqrt(sum of squares), and no exchange changes the sum of squares.
    scale = np.sqrt(np.square(d).sum(axis=0))
    d = np.divide(d, scale, out=np.zeros_like(d), where=scale > 0)
    observed = np.abs(d.sum(axis=0))
    order = np.argsort(-observed, kind="stable")
    extreme, total = np.zeros(len(order)), 0
    for signs in _signs(len(d), permutations, seed, d.shape[1]):
        statistics = np.abs(signs @ d[:, order])
        largest_of_rest = np.maximum.accumulate(statistics[:, ::-1], axis=1)[:, ::-1]
        extreme += np.count_nonzero(largest_of_rest >= observed[order] - 1e-12, axis=0)
        total += len(signs)
    p = extreme / total if _is_exact(len(d), permutations) else (1 + extreme) / (1 + total)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted.tolist()


def _is_exact(n: int, permutations: int) -> bool:
    return 2.0**n <= permutations


def _signs(n: int, permutations: int, seed: int, hypotheses: int = 1) -> Iterator[np.ndarray]:
    """Yield rows of n signs, +1 and -1: all 2^n where they are no more than ``permutations``, else random ones."""
    if _is_exact(n, permutations):
        yield 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return
    rng = np.random.default_rng(seed)
    rows = max(_BATCH // (n * hypotheses), 1)
    for start in range(0, permutations, rows):
        yield 1 - 2 * rng.integers(0, 2, (min(rows, permutations - start), n), dtype=np.int8)
