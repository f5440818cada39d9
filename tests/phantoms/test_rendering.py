import numpy as np
import pytest
from regionwise.phantoms.rendering import bias_field, ellipse, grid_mm, rician, smooth_noise, wobble


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_smooth_noise_is_standardized_and_smooth(rng):
    noise = smooth_noise(rng, (40, 40), 3)
    assert (noise.mean(), noise.std()) == pytest.approx((0, 1), abs=1e-5)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.5 * np.abs(np.diff(rng.standard_normal((40, 40)), axis=0)).mean()


@pytest.mark.parametrize("scale", [0.6, 3, 6, (1, 8, 8)])
def test_smooth_noise_is_as_smooth_as_its_scale(rng, scale):
    """The correlation of Gaussian noise after a Gaussian filter: exp(-(d / 2 scale)^2) at the distance d."""
    noise = smooth_noise(rng, (48, 192, 192), scale)
    assert noise.shape == (48, 192, 192)
    for axis, width in enumerate(np.broadcast_to(scale, 3)):
        step = max(1, round(2 * width))
        first, second = np.take(noise, range(48 - step), axis), np.take(noise, range(step, 48), axis)
        expected = np.exp(-((step / (2 * width)) ** 2))
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] == pytest.approx(expected, abs=0.15)


def test_the_bias_field_stays_within_its_strength(rng):
    logarithm = np.log(bias_field(rng, (12, 10, 5), 0.4))
    assert np.abs(logarithm).max() == pytest.approx(0.4)
    assert logarithm.mean() == pytest.approx(0)


def test_rician_noise_is_positive_and_biased_where_there_is_no_signal(rng):
    noisy = rician(rng, np.zeros(20_000), 0.1)
    assert noisy.min() >= 0
    assert noisy.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)


def test_a_wobble_closes_on_itself(rng):
    seam = wobble(rng, np.array([-np.pi, np.pi]), 0.2)
    assert seam[0] == pytest.approx(seam[1])


def test_an_ellipse_has_its_area():
    x, y = np.meshgrid(np.arange(-200, 201), np.arange(-200, 201), indexing="ij")
    assert ellipse(x, y, (10, -20), (120, 60)).sum() == pytest.approx(np.pi * 120 * 60, rel=0.002)


def test_the_grid_is_centered():
    z, y = grid_mm((3, 4), (5.0, 2.0))
    np.testing.assert_array_equal(z.ravel(), [-5, 0, 5])
    np.testing.assert_array_equal(y.ravel(), [-3, -1, 1, 3])
