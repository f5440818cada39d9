"""Calibration of probabilities: reliability bins, calibration errors, scores, expected volume and Dice, in float64."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from ..errors import InputError

# Voxels at a time, so that the float64 copies stay small beside the volume.
CHUNK = 1 << 22

BINS = 20
"""As in MONAI's `CalibrationErrorMetric` and in published average calibration errors, which depend on it."""

SMALLEST = 1e-7
"""Probability of the true class that the log likelihood takes for 0, which one such voxel would make infinite."""


@dataclass(frozen=True)
class ReliabilityBins:
    """Voxels sorted into bins of equal width by their probability.

    The bins of several images are pooled by adding them.

    Attributes:
        count: Number of voxels per bin, int64 (bins,).
        probability_sum: Sum of their probabilities, float64 (bins,).
        positives: Number of positive voxels per bin, int64 (bins,).
    """

    count: np.ndarray
    probability_sum: np.ndarray
    positives: np.ndarray

    def __add__(self, other: "ReliabilityBins") -> "ReliabilityBins":
        """Pool two sets of voxels."""
        return ReliabilityBins(
            self.count + other.count,
            self.probability_sum + other.probability_sum,
            self.positives + other.positives,
        )


def reliability_bins(probability: np.ndarray, truth: np.ndarray, bins: int = BINS) -> ReliabilityBins:
    """Sort voxels into B bins [k/B, (k+1)/B) by their probability, the last bin closed.

    Counts are integers and sums are float64: float32 stops counting at 2^24 voxels, less than one scan.

    Args:
        probability: Float array of any shape, in [0, 1].
        truth: Bool array of the same shape.
        bins: B, the number of bins.

    Returns:
        The bins of one image.

    Raises:
        InputError: If the shapes differ.
    """
    count, positives = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
    total = np.zeros(bins)
    for p, y in _chunks(probability, truth):
        index = np.minimum((p * bins).astype(np.int64), bins - 1)
        count += np.bincount(index, minlength=bins)
        total += np.bincount(index, weights=p, minlength=bins)
        positives += np.bincount(index[y], minlength=bins)
    return ReliabilityBins(count, total, positives)


def expected_calibration_error(bins: ReliabilityBins) -> float | None:
    """Expected calibration error: sum_k n_k/n |mean probability_k - frequency_k|, in [0, 1] (Guo et al., ICML 2017).

    The bins of one image give the error of that image; added bins give the pooled error, which is not the mean of the
    images' errors: in a pool an over-confident and an under-confident image can cancel. No voxels: None.
    """
    n = bins.count.sum()
    return float(np.abs(bins.probability_sum - bins.positives).sum() / n) if n else None


def average_calibration_error(bins: ReliabilityBins) -> float | None:
    """Average calibration error: mean over non-empty bins of |mean probability_k - frequency_k|, in [0, 1].

    Each bin counts alike, so that easy background does not hide the border, which is what the expected error does
    (Neumann et al., 2018; Barfoot et al., MICCAI 2024). No voxels: None.
    """
    gaps = _gaps(bins)
    return float(gaps.mean()) if gaps.size else None


def average_calibration_error_by_chance(bins: ReliabilityBins) -> float | None:
    """Average calibration error of perfect probabilities: what chance leaves where bins hold few voxels.

    The mean over non-empty bins of E|X - n m| / n, with X binomial, n voxels and the mean probability m. It is what a
    calibration of independent voxels can reach on average; real voxels are not independent and stay above it.

    Args:
        bins: Those of one image, or pooled.

    Returns:
        The expected error; None for no voxels.

    Source: De Moivre's mean absolute deviation of the binomial distribution.

    Examples:
        >>> bins = reliability_bins(np.full(2, 0.5), np.array([True, False]))
        >>> round(average_calibration_error_by_chance(bins), 6)  # |0 - 1|, |1 - 1|, |1 - 1|, |2 - 1| of 2 voxels
        0.25
    """
    filled = bins.count > 0
    if not filled.any():
        return None
    n = bins.count[filled].astype(np.float64)
    m = np.clip(bins.probability_sum[filled] / n, 0, 1)
    above = np.minimum(np.floor(n * m) + 1, n)  # the least count above the expected one; at m = 1 the deviation is 0
    log = gammaln(n + 1) - gammaln(above) - gammaln(n - above + 1) + xlogy(above, m) + xlogy(n - above + 1, 1 - m)
    return float(np.mean(2 * np.exp(log) / n))


def maximum_calibration_error(bins: ReliabilityBins) -> float | None:
    """Maximum calibration error: max over non-empty bins of |mean probability_k - frequency_k|. No voxels: None."""
    gaps = _gaps(bins)
    return float(gaps.max()) if gaps.size else None


def _gaps(bins: ReliabilityBins) -> np.ndarray:
    filled = bins.count > 0
    return np.abs(bins.probability_sum - bins.positives)[filled] / bins.count[filled]


def negative_log_likelihood(probability: np.ndarray, truth: np.ndarray) -> float | None:
    """Negative log likelihood of one class: mean of -ln p where it is true and -ln(1 - p) where not, in nats.

    Args:
        probability: Float array of any shape, in [0, 1]; what is nearer to a wrong answer than 1e-7 counts as 1e-7.
        truth: Bool array of the same shape.

    Returns:
        The mean; None for no voxels.

    Raises:
        InputError: If the shapes differ.
    """
    total = sum(
        float(np.log(np.maximum(np.where(y, p, 1 - p), SMALLEST)).sum()) for p, y in _chunks(probability, truth)
    )
    return -total / probability.size if probability.size else None


def brier_score(probability: np.ndarray, truth: np.ndarray) -> float | None:
    """Brier score of one class: mean (p - y)^2, in [0, 1]; the multi-class score is the sum over the classes.

    Args:
        probability: Float array of any shape, in [0, 1].
        truth: Bool array of the same shape.

    Returns:
        The score; None for no voxels.

    Raises:
        InputError: If the shapes differ.
    """
    squares = sum(float(np.square(p - y).sum()) for p, y in _chunks(probability, truth))
    return squares / probability.size if probability.size else None


def expected_volume_ml(probability: np.ndarray, voxel_ml: float) -> float:
    """Expected volume: sum(p) * voxel volume, in ml; unbiased if the probabilities are calibrated.

    Args:
        probability: Float array of any shape, in [0, 1].
        voxel_ml: Volume of a voxel, in ml.
    """
    return float(np.sum(probability, dtype=np.float64)) * voxel_ml


def soft_dice_confidence(probability: np.ndarray, mask: np.ndarray) -> float:
    """Soft Dice confidence of one structure: 2 sum_{i in A} p_i / (sum_i p_i + |A|), the Dice that the model expects.

    It needs no reference (Borges et al., arXiv 2402.10665). A structure that is not predicted gets prod_i (1 - p_i):
    the probability, were voxels independent, that it is absent, in which case its Dice is 1.

    Args:
        probability: Float array of any shape, in [0, 1].
        mask: Bool array of the same shape: the prediction A.

    Raises:
        InputError: If the shapes differ.
    """
    inside = total = absent = 0.0
    for p, a in _chunks(probability, mask):
        inside, total = inside + float(p[a].sum()), total + float(p.sum())
        absent += float(np.log1p(-np.minimum(p, 1 - SMALLEST)).sum())
    return float(confidence_of_sums(inside, total, int(np.count_nonzero(mask)), absent))


def confidence_of_sums(inside: Any, total: Any, voxels: Any, absent: Any) -> np.ndarray:
    """Soft Dice confidence of sums over voxels, which may be of parts of a volume, added.

    Args:
        inside: Sum of p over the prediction; a number or array.
        total: Sum of p.
        voxels: Number of voxels of the prediction.
        absent: Sum of ln(1 - p).
    """
    voxels = np.asarray(voxels)
    return np.where(voxels > 0, 2 * np.asarray(inside) / np.maximum(total + voxels, 1), np.exp(absent))


def _chunks(probability: np.ndarray, truth: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if probability.shape != truth.shape:
        raise InputError(f"expected truth of shape {probability.shape}, as the probabilities, found {truth.shape}")
    flat, flat_truth = probability.reshape(-1), truth.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK].astype(np.float64), flat_truth[start : start + CHUNK]
