import math

import numpy as np
import pytest
import torch
from monai.metrics import CalibrationErrorMetric
from regionwise.metrics import (
    average_calibration_error,
    average_calibration_error_by_chance,
    brier_score,
    expected_calibration_error,
    expected_volume_ml,
    maximum_calibration_error,
    negative_log_likelihood,
    reliability_bins,
    soft_dice_confidence,
)


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
    assert average_calibration_error(reliability_bins(nothing, nothing.astype(bool))) is None
    assert average_calibration_error_by_chance(reliability_bins(nothing, nothing.astype(bool))) is None
    assert maximum_calibration_error(reliability_bins(nothing, nothing.astype(bool))) is None
    assert negative_log_likelihood(nothing, nothing.astype(bool)) is None


def test_each_bin_counts_alike_in_the_average_error():
    probability = np.array([0.05] * 98 + [0.55] * 2)
    bins = reliability_bins(probability, np.array([False] * 98 + [True] * 2), bins=10)
    assert expected_calibration_error(bins) == pytest.approx(0.98 * 0.05 + 0.02 * 0.45)
    assert average_calibration_error(bins) == pytest.approx((0.05 + 0.45) / 2)
    assert maximum_calibration_error(bins) == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("reduction", "error"),
    [
        ("expected", expected_calibration_error),
        ("average", average_calibration_error),
        ("maximum", maximum_calibration_error),
    ],
)
def test_the_errors_are_those_of_monai(reduction, error):
    random = np.random.default_rng(0)
    probability = random.beta(0.3, 0.5, 5000).astype(np.float32)
    truth = random.random(5000) < probability**2
    metric = CalibrationErrorMetric(num_bins=20, include_background=True, calibration_reduction=reduction)
    metric(y_pred=torch.from_numpy(probability)[None, None], y=torch.from_numpy(truth)[None, None].float())
    assert error(reliability_bins(probability, truth)) == pytest.approx(float(metric.aggregate()), abs=1e-5)


def test_the_error_that_chance_leaves_to_perfect_probabilities():
    random = np.random.default_rng(0)
    probability = random.random(200)
    drawn = [reliability_bins(probability, random.random(200) < probability) for _ in range(2000)]
    mean = np.mean([average_calibration_error(bins) for bins in drawn])
    assert average_calibration_error_by_chance(drawn[0]) == pytest.approx(mean, rel=0.02)
    sure = reliability_bins(np.array([0.0, 0.0, 1.0]), np.array([True, False, False]))
    assert average_calibration_error_by_chance(sure) == 0


def test_likelihood_by_hand_and_at_its_limit():
    found = negative_log_likelihood(np.array([0.5, 0.9]), np.array([True, False]))
    assert found == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)
    assert negative_log_likelihood(np.array([0.0]), np.array([True])) == pytest.approx(-math.log(1e-7))


def test_the_dice_that_a_model_expects():
    p = np.array([0.9, 0.6, 0.1, 0.0])
    assert soft_dice_confidence(p, p > 0.5) == pytest.approx(2 * 1.5 / 3.6)
    assert soft_dice_confidence(p, p > 1) == pytest.approx(0.1 * 0.4 * 0.9)
    assert soft_dice_confidence(np.zeros(3), np.zeros(3, bool)) == 1
