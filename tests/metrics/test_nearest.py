import numpy as np
import pytest
from regionwise.metrics import nearest
from regionwise.metrics.surface import boundary

SPACINGS = [(1.0, 1.0, 1.0), (8.0, 1.5, 0.7)]


def ways_mm(own, other, spacing_mm):
    return [
        way(own, other, np.array(spacing_mm))
        for way in (nearest._searched_mm, nearest._looked_up_mm, nearest._transformed_mm)
    ]


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("rows", [1, 3, 20])
def test_all_ways_give_the_same_distances_in_the_same_order(spacing_mm, rows, monkeypatch):
    monkeypatch.setattr(nearest, "_VOXELS_AT_ONCE", rows * 30 * 12)
    rng = np.random.default_rng(0)
    own, other = (rng.random((20, 30, 12)) < 0.5 for _ in range(2))
    searched, looked_up, transformed = ways_mm(own, other, spacing_mm)
    assert looked_up.dtype == transformed.dtype == np.float32
    np.testing.assert_allclose(looked_up, searched, rtol=4e-7)
    np.testing.assert_allclose(transformed, searched, rtol=4e-7)
    assert np.array_equal(searched == 0, other[own])


def test_all_ways_give_the_same_distances_in_two_dimensions():
    rng = np.random.default_rng(1)
    searched, looked_up, transformed = ways_mm(*(rng.random((40, 50)) < 0.7 for _ in range(2)), (2.0, 0.5))
    np.testing.assert_allclose(looked_up, searched, rtol=4e-7)
    np.testing.assert_allclose(transformed, searched, rtol=4e-7)


def test_a_voxel_without_near_neighbors_is_not_looked_up():
    own, other = np.zeros((2, 9, 9, 9), bool)
    own[4, 4, 4] = other[4, 4, 7] = True
    assert nearest._looked_up_mm(own, other, np.ones(3)) == [3]
    other = np.roll(other, 1, axis=2)
    assert nearest._looked_up_mm(own, other, np.ones(3)) is None
    # With thick slices the three nearest neighbors lie in the slice; 3 voxels up is farther than 5 in plane.
    own, other = np.zeros((2, 9, 9, 9), bool)
    own[4, 4, 4] = other[7, 4, 4] = True
    assert nearest._looked_up_mm(own, other, np.array((5.0, 1.0, 1.0))) is None


def test_the_cheapest_way_is_taken(monkeypatch):
    monkeypatch.setattr(nearest, "_CHEAP_NS", 0)
    noise = np.random.default_rng(0).random((60, 60, 30)) < 0.5
    ball = boundary(np.linalg.norm(np.indices(noise.shape) - np.array([30, 30, 15]).reshape(3, 1, 1, 1), axis=0) < 8)
    one = np.ones(3)
    assert nearest.nearest_mm(ball, np.roll(ball, 1, axis=0), one).dtype == np.float64  # few voxels: a search
    assert nearest.nearest_mm(noise, ball, one).dtype == np.float32  # far from the ball: a transform
    monkeypatch.setattr(nearest, "_transformed_mm", None)  # would fail
    assert nearest.nearest_mm(noise, np.roll(noise, 1, axis=0), one).dtype == np.float32
