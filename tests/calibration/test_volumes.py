"""Volumes by isotonic regression: by hand, outside the known range, and what cannot be fitted."""

import numpy as np
import pytest
from regionwise.calibration import fit_volumes
from regionwise.calibration.volumes import fit_line
from regionwise.errors import InputError


def test_a_falling_pair_is_pooled():
    volumes = fit_volumes([1, 2, 3, 4], [1, 4, 2, 6])
    assert volumes.reference_ml == (1, 3, 3, 6)
    assert [volumes(one) for one in (1, 1.5, 2.5, 4)] == [1, 2, 3, 6]


def test_equal_volumes_are_one_knot():
    assert fit_volumes([2, 2, 3], [1, 3, 5]).reference_ml == (2, 5)


def test_outside_the_known_range_the_error_of_the_end_is_kept():
    volumes = fit_volumes([2, 4], [3, 6])
    assert [volumes(one) for one in (1, 5)] == [2, 7]
    assert fit_volumes([2, 4], [0.5, 6])(0.5) == 0


def test_a_constant_factor_is_taken_away():
    random = np.random.default_rng(0)
    truth = random.uniform(1, 5, 100)
    volumes = fit_volumes(1.3 * truth, truth)
    assert volumes(1.3 * 2.5) == pytest.approx(2.5, abs=0.05)


def test_a_single_case():
    with pytest.raises(InputError, match="expected the volumes of at least two cases in pairs, found 1 and 1"):
        fit_volumes([1], [1])


def test_a_line_through_volumes():
    assert fit_line([1, 2, 3], [3, 5, 7]) == pytest.approx((2, 1))


@pytest.mark.parametrize("expected", [[2, 2], [2, 2 + 1e-9], [0, 0]])
def test_volumes_that_differ_by_rounding_have_no_line(expected):
    assert fit_line(expected, [1, 3]) == (1, 0)
