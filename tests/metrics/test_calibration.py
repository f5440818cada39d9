import numpy as np
import pytest
from regionwise.metrics import brier_score, expected_calibration_error, expected_volume_ml, reliability_bins


def test_bins_by_hand():
    bins = reliability_bins(np.array([0.05, 0.1, 0.95, 1.0]), np.array([False, True, True, True]), bins=10)
    # 0.1 opens the second bin, 1 belongs to the last.
    assert bins.count.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert bins.positives.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert bins.probability_sum[9] == pytest.approx(1.95)
    assert expected_calibration_error(bins) == pytest.approx((0.05 + 0.9 + 0.05) / 4)


def test_a_coin_that_says_a_half_is_calibrated():
    half = np.full(10, 0.5)
    assert expected_calibration_error(reliability_bins(half, np.arange(10) % 2 == 0)) == 0
    assert expected_calibration_error(reliability_bins(half, np.ones(10, bool))) == 0.5
    assert brier_score(half, np.ones(10, bool)) == 0.25


def test_opposite_errors_cancel_in_the_pool_and_not_in_the_images():
    probability = np.full(10, 0.5)
    images = [reliability_bins(probability, np.full(10, truth)) for truth in (True, False)]
    assert [expected_calibration_error(one) for one in images] == [0.5, 0.5]
    assert expected_calibration_error(images[0] + images[1]) == 0


def test_twenty_million_voxels_are_counted():
    """Float32 bins stop at 2^24 voxels: the frequency would be wrong by a fifth."""
    n = 20_000_000
    probability = np.full(n, 0.75, np.float32)
    truth = np.ones(n, bool)
    truth[: n // 4] = False
    bins = reliability_bins(probability, truth)
    assert bins.count.sum() == n
    assert bins.positives.sum() == 15_000_000
    assert expected_calibration_error(bins) == pytest.approx(0, abs=1e-12)
    assert brier_score(probability, truth) == pytest.approx(0.75 * 0.0625 + 0.25 * 0.5625, abs=1e-12)
    assert expected_volume_ml(probability, voxel_ml=0.001) == pytest.approx(15_000, abs=1e-6)


def test_no_voxels():
    nothing = np.empty(0)
    assert expected_calibration_error(reliability_bins(nothing, nothing.astype(bool))) is None
    assert brier_score(nothing, nothing.astype(bool)) is None
    assert expected_volume_ml(nothing, 1) == 0
