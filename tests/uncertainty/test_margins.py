"""Conformal margins: distances by hand, the definition by search, the guarantee by simulation."""

import math

import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.uncertainty import (
    conformal_margin_mm,
    depths_of_invented_mm,
    distances_of_missed_mm,
    needed_margin_mm,
    risk_at_mm,
)
from scipy import ndimage

NOTHING = np.zeros((3, 4), bool)


def row(*values):
    return np.array([values], bool)


def test_distances_of_a_row_by_hand():
    prediction, reference = row(0, 1, 1, 0, 0, 0), row(0, 0, 1, 1, 1, 0)
    assert distances_of_missed_mm(prediction, reference, (1, 2)).tolist() == [0, 2, 4]
    assert depths_of_invented_mm(prediction, reference, (1, 2)).tolist() == [2, 0]


def test_empty_masks():
    something = NOTHING.copy()
    something[1, 1:3] = True
    assert distances_of_missed_mm(something, NOTHING, (1, 1)).size == 0
    assert distances_of_missed_mm(NOTHING, something, (1, 1)).tolist() == [math.inf, math.inf]
    assert depths_of_invented_mm(NOTHING, something, (1, 1)).size == 0
    assert depths_of_invented_mm(~NOTHING, ~NOTHING, (1, 1)).tolist() == [0] * 12
    assert depths_of_invented_mm(~NOTHING, something, (1, 1)).max() == math.inf
    assert needed_margin_mm(np.zeros(0)) == 0
    assert risk_at_mm(np.zeros(0), 3) == 0


@pytest.mark.parametrize("seed", range(3))
def test_one_transform_gives_the_missed_share_for_every_radius(seed):
    random = np.random.default_rng(seed)
    smooth = [ndimage.gaussian_filter(random.normal(size=(20, 22, 9)), 2) for _ in range(2)]
    prediction, reference = smooth[0] > 0.05, smooth[0] + smooth[1] > 0.08
    spacing_mm = (1.0, 1.5, 3.0)
    missed = distances_of_missed_mm(prediction, reference, spacing_mm)
    outside = ndimage.distance_transform_edt(~prediction, spacing_mm)
    invented = depths_of_invented_mm(prediction, reference, spacing_mm)
    within = ndimage.distance_transform_edt(prediction, spacing_mm)
    for radius in (0, 1, 1.5, 2, 3.3, 6):
        dilated, eroded = outside <= radius, within > radius
        share = np.count_nonzero(reference & ~dilated) / np.count_nonzero(reference)
        assert risk_at_mm(missed, radius, inside=None) == pytest.approx(share)
        wrong = np.count_nonzero(eroded & ~reference) / np.count_nonzero(prediction)
        assert risk_at_mm(invented, radius, inside=None) == pytest.approx(wrong)


@pytest.mark.parametrize("inside", [None, 0.9])
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
def test_the_margin_is_the_smallest_that_the_bound_allows(inside, alpha):
    random = np.random.default_rng(0)
    patients = [np.maximum(random.normal(0, 3, random.integers(1, 40)), 0) for _ in range(30)]
    n, radius = len(patients), conformal_margin_mm(patients, alpha, inside)

    def bound(r):
        return (sum(risk_at_mm(one, r, inside) for one in patients) + 1) / (n + 1)

    assert bound(radius) <= alpha + 1e-12
    assert radius == 0 or bound(radius - 1e-9) > alpha


def test_needed_margin_by_hand():
    distances = np.array([0.0, 0.0, 1.0, 4.0])
    assert [needed_margin_mm(distances, inside) for inside in (0.5, 0.75, 0.76, 1)] == [0, 1, 4, 4]


def test_a_margin_of_zero_and_one_without_end():
    good, lost, absent = np.zeros(5), np.full(5, math.inf), np.zeros(0)
    assert conformal_margin_mm([good] * 19, alpha=0.1) == 0
    assert conformal_margin_mm([absent] * 19, alpha=0.1) == 0
    assert conformal_margin_mm([good] * 18 + [lost], alpha=0.1) == 0
    assert conformal_margin_mm([good] * 10 + [lost] * 9, alpha=0.1) == math.inf


def test_too_few_patients_for_the_level():
    with pytest.raises(
        InputError, match=r"expected at least 9 patients for alpha 0.1, found 8: .*1 / \(n \+ 1\) = 0.11"
    ):
        conformal_margin_mm([np.zeros(3)] * 8, alpha=0.1)
    assert conformal_margin_mm([np.zeros(3)] * 9, alpha=0.1) == 0


@pytest.mark.parametrize(("alpha", "inside"), [(0, 0.9), (1, 0.9), (0.1, 0), (0.1, 1.1)])
def test_shares_out_of_range(alpha, inside):
    with pytest.raises(InputError, match=r"expected .* in \(0, 1"):
        conformal_margin_mm([np.zeros(3)] * 30, alpha, inside)


@pytest.mark.parametrize("inside", [None, 0.95])
def test_the_promise_holds_over_random_splits(inside):
    """500 splits of simulated patients: the mean risk of the others is at most alpha and not far below it."""
    random = np.random.default_rng(0)
    alpha, n, risks = 0.2, 20, []
    for _ in range(500):
        scales = random.gamma(2, 1.5, n + 20)
        patients = [np.maximum(random.normal(-1, scale, 50), 0) for scale in scales]
        radius = conformal_margin_mm(patients[:n], alpha, inside)
        risks.append(np.mean([risk_at_mm(one, radius, inside) for one in patients[n:]]))
    error = np.std(risks) / math.sqrt(len(risks))
    assert np.mean(risks) <= alpha + 2 * error
    assert np.mean(risks) >= alpha - 1 / (n + 1) - 0.02
