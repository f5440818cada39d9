"""Variance components of results, and the difference that a number of patients and seeds can show."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ...errors import InputError


class Components(NamedTuple):
    """Variance components of one method, as standard deviations in the unit of the metric.

    Attributes:
        patient: Between patients, of the mean over networks.
        seed: Between trained networks (seeds), of the mean over patients; None with one seed.
        rest: What is left: a network is better on some patients than another; None with one seed.
    """

    patient: float
    seed: float | None
    rest: float | None


def variance_components(values: np.ndarray | Sequence[Sequence[float]]) -> Components | None:
    """Variance components of the values of one method: y_ps = mean + patient_p + seed_s + rest_ps, all random.

    By the mean squares of the two-way table (ANOVA estimators, exact for a complete table); an estimate below 0 is
    given as 0. With one seed, patient and rest cannot be told apart and ``patient`` holds both.

    Args:
        values: Float array (patients, seeds); frames are averaged before.

    Returns:
        The components; None for fewer than two patients.

    Raises:
        InputError: If the array has not two axes or a value is not finite.

    Examples:
        >>> variance_components([[0.8, 0.9], [0.6, 0.7], [0.7, 0.8]]).rest  # every patient gains the same
        0.0
    """
    y = np.asarray(values, np.float64)
    if y.ndim != 2 or not np.isfinite(y).all():
        raise InputError(f"expected finite values of shape (patients, seeds), found shape {y.shape} or NaN or infinity")
    patients, seeds = y.shape
    if patients < 2:
        return None
    rows, columns = y.mean(axis=1), y.mean(axis=0)
    if seeds == 1:
        return Components(float(rows.std(ddof=1)), None, None)
    residual = y - rows[:, None] - columns + y.mean()
    ms_rest = float(np.square(residual).sum() / ((patients - 1) * (seeds - 1)))
    # Differences of rounding are no variance.
    ms_rest = ms_rest if ms_rest > 1e-24 * float(np.square(y).max()) else 0.0
    patient = float(rows.var(ddof=1)) - ms_rest / seeds
    seed = float(columns.var(ddof=1)) - ms_rest / patients
    return Components(_root(patient), _root(seed), _root(ms_rest))


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))


def detectable_difference(
    patients: int, seeds: int, sd_difference: float, sd_seed: float = 0.0, level: float = 0.05, power: float = 0.8
) -> float:
    """Smallest difference of two methods that a study finds with the given power: (t_(1 - level/2) + t_power) SE.

    SE^2 = sd_difference^2 / patients + 2 sd_seed^2 / seeds: the patients are the same for both methods, the networks
    are not. The permutation test of one trained pair sees only the first term; more patients do not make up for one
    seed.

    Args:
        patients: Number of patients, at least 2.
        seeds: Number of trained networks per method.
        sd_difference: Standard deviation over patients of the difference of the two methods, seeds averaged.
        sd_seed: Standard deviation of a method's mean between networks.
        level: Two-sided level.
        power: Probability of finding the difference.

    Returns:
        The difference, in the unit of the standard deviations.

    Raises:
        InputError: If a number is out of range.

    Examples:
        >>> round(detectable_difference(patients=50, seeds=3, sd_difference=0.02, sd_seed=0.003), 4)
        0.0107
    """
    if patients < 2 or seeds < 1 or sd_difference < 0 or sd_seed < 0 or not 0 < level < 1 or not 0 < power < 1:
        raise InputError(
            f"expected at least 2 patients and 1 seed, standard deviations from 0 on, and level and power in (0, 1); "
            f"got {patients}, {seeds}, {sd_difference}, {sd_seed}, {level}, {power}"
        )
    t = stats.t(patients - 1)
    error = np.sqrt(sd_difference**2 / patients + 2 * sd_seed**2 / seeds)
    return float((t.ppf(1 - level / 2) + t.ppf(power)) * error)
