"""Volumes recalibrated by isotonic regression: expected volume (sum of probabilities) to reference volume."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from ..errors import InputError

Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class VolumeMap:
    """A rising piecewise linear function of the expected volume.

    Attributes:
        expected_ml: Volumes at which it is known, rising.
        reference_ml: Its values there, which never fall.
    """

    expected_ml: tuple[float, ...]
    reference_ml: tuple[float, ...]

    def __call__(self, expected_ml: float) -> float:
        """Return the recalibrated volume; outside the known range the error of its end is kept."""
        low, high = self.expected_ml[0], self.expected_ml[-1]
        beyond = min(expected_ml - low, 0) + max(expected_ml - high, 0)
        return max(float(np.interp(expected_ml, self.expected_ml, self.reference_ml)) + beyond, 0.0)


def fit_volumes(expected_ml: Numbers, reference_ml: Numbers) -> VolumeMap:
    """Fit the rising function of least squares (pool adjacent violators).

    Args:
        expected_ml: Expected volume per case, see `regionwise.metrics.expected_volume_ml`.
        reference_ml: Volume of the reference per case.

    Raises:
        InputError: If there are fewer than two cases, or the lengths differ.

    Examples:
        >>> fit_volumes([1, 2, 3], [2, 5, 4])(2.5)
        4.5
    """
    x, y = np.asarray(expected_ml, np.float64), np.asarray(reference_ml, np.float64)
    if x.shape != y.shape or len(x) < 2:
        raise InputError(f"expected the volumes of at least two cases in pairs, found {len(x)} and {len(y)}")
    knots, place, count = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=y) / count
    values = isotonic_regression(means, weights=count).x
    return VolumeMap(tuple(knots.tolist()), tuple(np.asarray(values).tolist()))


def fit_line(expected: Numbers, reference: Numbers) -> tuple[float, float]:
    """Fit a line to volumes: reference = slope * expected + intercept, by least squares.

    Args:
        expected: Expected volumes in ml, one per case.
        reference: Volumes of the references in ml.

    Returns:
        Slope, and intercept in ml; 1 and 0 where the expected volumes differ by rounding alone.
    """
    if np.ptp(expected) <= 1e-6 * np.max(np.abs(expected)):
        return 1.0, 0.0
    slope, intercept = np.polyfit(expected, reference, 1)
    return float(slope), float(intercept)
