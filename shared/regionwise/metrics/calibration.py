"""Calibration of probabilities: reliability bins, calibration error, Brier score and expected volume, in float64."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

# Voxels at a time, so that the float64 copies stay small beside the volume.
CHUNK = 1 << 22


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


def reliability_bins(probability: np.ndarray, truth: np.ndarray, bins: int = 15) -> ReliabilityBins:
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


def _chunks(probability: np.ndarray, truth: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if probability.shape != truth.shape:
        raise InputError(f"expected truth of shape {probability.shape}, as the probabilities, found {truth.shape}")
    flat, flat_truth = probability.reshape(-1), truth.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK].astype(np.float64), flat_truth[start : start + CHUNK]
