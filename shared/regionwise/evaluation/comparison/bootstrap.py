"""Two-level bootstrap of a mean: patients and seeds (trained networks) are drawn with replacement.

Every seed is evaluated on every patient, so the two are crossed: a resample draws patients and, independently, seeds,
and takes the mean over the drawn table (Owen, The pigeonhole bootstrap, 2007). SciPy's ``bootstrap`` has one level.
Only means: bootstrap intervals of a median fail badly at the sizes of test sets.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ...errors import InputError
from .clusters import Values, indices

# Drawn weights in memory at a time.
_BATCH = 1 << 22


class Interval(NamedTuple):
    """Confidence interval of a mean.

    Attributes:
        low: Lower bound, percentile method.
        high: Upper bound, percentile method.
        bca_low: Lower bound, bias-corrected and accelerated.
        bca_high: Upper bound, bias-corrected and accelerated.
    """

    low: float
    high: float
    bca_low: float
    bca_high: float

    @property
    def methods_differ(self) -> bool:
        """Return whether a bound of the two methods differs by more than a tenth of the width."""
        width = self.high - self.low
        return max(abs(self.low - self.bca_low), abs(self.high - self.bca_high)) > 0.1 * width


def two_level_bootstrap(
    values: Values,
    patients: Sequence[Hashable] | None = None,
    seeds: Sequence[Hashable] | None = None,
    *,
    minus: tuple[Values, Sequence[Hashable] | None, Sequence[Hashable] | None] | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval | None:
    """Confidence interval of the mean over patients of their mean value.

    Args:
        values: One per patient, seed and frame; frames of a patient are averaged.
        patients: Patient of each value; None: each value is one.
        seeds: Seed (trained network) of each value; None: there is one.
        minus: Values, patients and seeds of a second method on the same patients. The interval is then that of the
            difference of the two means, with the same patients drawn for both.
        level: Coverage.
        resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        The interval by the percentile method and by BCa; None for fewer than two patients.

    Raises:
        InputError: If a value is not finite, a seed lacks a patient, or the two methods have other patients.

    Examples:
        >>> interval = two_level_bootstrap([0.8, 0.9, 0.7, 0.8, 0.9, 0.8], list("aabbcc"), [1, 2, 1, 2, 1, 2])
        >>> bool(interval.low <= 0.817 <= interval.high)
        True
    """
    tables = [_table(values, patients, seeds), *([_table(*minus)] if minus is not None else [])]
    if len(tables) == 2:
        if set(tables[0][1]) != set(tables[1][1]):
            raise InputError("expected the same patients in both methods; compare the cases that both have")
        place = {name: number for number, name in enumerate(tables[1][1])}
        tables[1] = (tables[1][0][[place[name] for name in tables[0][1]]], tables[0][1])
    matrices = [matrix for matrix, _ in tables]
    if len(matrices[0]) < 2:
        return None
    signs = (1.0, -1.0)[: len(matrices)]
    replicates = _replicates(matrices, signs, resamples, np.random.default_rng(seed))
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    patient_means = sum(sign * matrix.mean(axis=1) for sign, matrix in zip(signs, matrices, strict=True))
    low, high = np.quantile(replicates, tails)
    bca_low, bca_high = np.quantile(replicates, _bca_tails(tails, replicates, patient_means))
    return Interval(float(low), float(high), float(bca_low), float(bca_high))


def _table(
    values: Values, patients: Sequence[Hashable] | None, seeds: Sequence[Hashable] | None
) -> tuple[np.ndarray, list[Hashable]]:
    """Return the mean of each patient and seed as an array (patients, seeds), and the patients."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise InputError(f"expected one finite value per observation, found shape {array.shape} or NaN or infinity")
    patients = list(range(len(array))) if patients is None else list(patients)
    seeds = [0] * len(array) if seeds is None else list(seeds)
    if not len(array) == len(patients) == len(seeds):
        raise InputError(f"expected a patient and a seed per value, found {len(patients)}, {len(seeds)}, {len(array)}")
    rows, columns = indices(patients), indices(seeds)
    shape = (len(set(patients)), len(set(seeds)))
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (rows, columns), array)
    np.add.at(counts, (rows, columns), 1)
    names = list(dict.fromkeys(patients))
    if not counts.all():
        row, column = np.argwhere(counts == 0)[0]
        raise InputError(f"seed {list(dict.fromkeys(seeds))[column]} has no value of patient {names[row]}")
    return sums / np.maximum(counts, 1), names


def _replicates(
    matrices: Sequence[np.ndarray], signs: Sequence[float], resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the resampled (signed sums of) means; how often a row was drawn is its weight."""
    n = len(matrices[0])
    batch = max(_BATCH // n, 1)
    found = []
    for start in range(0, resamples, batch):
        count = min(batch, resamples - start)
        rows = rng.multinomial(n, np.full(n, 1 / n), count) / n
        total = np.zeros(count)
        for sign, matrix in zip(signs, matrices, strict=True):
            s = matrix.shape[1]
            columns = rng.multinomial(s, np.full(s, 1 / s), count) / s
            total += sign * ((rows @ matrix) * columns).sum(axis=1)
        found.append(total)
    return np.concatenate(found)


def _bca_tails(tails: np.ndarray, replicates: np.ndarray, patient_means: np.ndarray) -> np.ndarray:
    """Return the quantiles that BCa reads instead of ``tails`` (Efron 1987); acceleration by leaving out patients."""
    observed = patient_means.mean()
    # Values that do not vary have no bias and no skew.
    if np.ptp(replicates) == 0:
        return tails
    below = (np.mean(replicates < observed) + np.mean(replicates <= observed)) / 2
    bias = stats.norm.ppf(np.clip(below, 1e-6, 1 - 1e-6))
    deviations = patient_means - observed
    spread = np.square(deviations).sum()
    acceleration = np.power(deviations, 3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    z = bias + stats.norm.ppf(tails)
    return stats.norm.cdf(bias + z / (1 - acceleration * z))
