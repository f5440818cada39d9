"""STAPLE of simulated raters whose sensitivity and specificity are known."""

import sys

import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.fusion import estimate_performance, fuse_raters, majority_vote, staple

SENSITIVITY, SPECIFICITY = (0.95, 0.80, 0.65), (0.90, 0.97, 0.85)


def truth_ball(size=40):
    axes = np.ogrid[[slice(-1, 1, size * 1j)] * 3]
    return sum(axis**2 for axis in axes) < 0.5


def simulated(truth, seed=0):
    random = np.random.default_rng(seed)
    return np.stack(
        [
            np.where(truth, random.random(truth.shape) < p, random.random(truth.shape) >= q)
            for p, q in zip(SENSITIVITY, SPECIFICITY, strict=True)
        ]
    )


def test_simulated_raters_are_recovered():
    pytest.importorskip("SimpleITK")
    truth = truth_ball()
    estimate = estimate_performance(simulated(truth))
    np.testing.assert_allclose(estimate.sensitivity, SENSITIVITY, atol=0.02)
    np.testing.assert_allclose(estimate.specificity, SPECIFICITY, atol=0.02)
    right = ((estimate.probability >= 0.5) == truth).mean()
    voted = (majority_vote(simulated(truth).astype(np.uint8)) == truth).mean()
    assert right >= voted > 0.9


def test_the_background_around_the_structures_changes_nothing():
    pytest.importorskip("SimpleITK")
    masks = simulated(truth_ball(24))
    wide = np.pad(masks, [(0, 0), (30, 30), (30, 30), (30, 30)])
    near, far = estimate_performance(np.pad(masks, [(0, 0), *[(2, 2)] * 3])), estimate_performance(wide)
    np.testing.assert_allclose(far.sensitivity, near.sensitivity)
    np.testing.assert_allclose(far.specificity, near.specificity)
    assert far.probability.shape == wide.shape[1:]
    assert not far.probability[:20].any()


def test_several_labels_are_better_than_the_vote_of_unequal_raters():
    pytest.importorskip("SimpleITK")
    truth = truth_ball(30).astype(np.uint8) * 3  # labels 0, 3, 7: STAPLE's codes are not the labels
    truth[:15][truth[:15] == 3] = 7
    random = np.random.default_rng(0)
    rates = (0.05, 0.4, 0.4)  # one careful rater and two who are careless
    raters = np.stack(
        [np.where(random.random(truth.shape) < r, random.choice([0, 3, 7], truth.shape), truth) for r in rates]
    )
    fused = staple(raters.astype(np.uint8))
    assert set(np.unique(fused)) == {0, 3, 7}
    assert (fused == truth).mean() > (majority_vote(raters) == truth).mean() + 0.02


def test_undecided_voxels_become_no_new_class():
    sitk = pytest.importorskip("SimpleITK")
    raters = np.zeros((2, 6, 6, 6), np.uint8)
    raters[0, 1:5, 1:5, 1:5], raters[1, 1:5, 1:5, 1:5] = 1, 2
    theirs = sitk.GetArrayFromImage(sitk.MultiLabelSTAPLE([sitk.GetImageFromArray(one) for one in raters]))
    assert theirs.max() == 3  # left alone, SimpleITK makes a class of them
    fused = staple(raters)
    assert set(np.unique(fused)) <= {0, 1, 2}
    assert np.array_equal(fused > 0, raters[0] > 0)


def test_nothing_drawn_by_anyone():
    estimate = estimate_performance(np.zeros((2, 4, 4), bool))
    assert np.isnan(estimate.sensitivity).all()
    assert not estimate.probability.any()
    assert not staple(np.zeros((2, 4, 4), np.uint8)).any()


def test_without_simple_itk_the_way_to_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    raters = np.zeros((2, 4, 4), np.uint8)
    raters[:, 1:3] = 1
    with pytest.raises(InputError, match=r"STAPLE needs SimpleITK.*pip install SimpleITK \(or regionwise\[raters\]\)"):
        fuse_raters(raters, "staple")
