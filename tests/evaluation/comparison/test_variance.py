import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.evaluation import detectable_difference, variance_components
from scipy import stats


def test_components_by_hand():
    # Rows 1, 3 and columns 1, 3: patient means 1, 3, seed means 2 - 1, 2 + 1, and nothing is left.
    only_patients = variance_components([[1, 1], [3, 3]])
    assert only_patients == pytest.approx((np.sqrt(2), 0, 0))
    only_seeds = variance_components([[1, 3], [1, 3]])
    assert only_seeds == pytest.approx((0, np.sqrt(2), 0))
    assert variance_components([[1, 3], [3, 1]]) == pytest.approx((0, 0, 2))  # row and column means are all 2


def test_components_find_what_was_put_in():
    rng = np.random.default_rng(0)
    y = 0.8 + rng.normal(0, 0.05, (4000, 1)) + rng.normal(0, 0.02, (1, 400)) + rng.normal(0, 0.01, (4000, 400))
    assert variance_components(y) == pytest.approx((0.05, 0.02, 0.01), rel=0.1)


def test_one_seed_leaves_patient_and_rest_together():
    assert variance_components([[1.0], [3.0]]) == (pytest.approx(np.sqrt(2)), None, None)
    assert variance_components([[1.0, 2.0]]) is None


def test_detectable_difference_has_the_power_it_states():
    patients, sd = 25, 0.02
    difference = detectable_difference(patients, 3, sd, 0.0)
    d = np.random.default_rng(1).normal(difference, sd, (4000, patients))
    assert np.mean(stats.ttest_1samp(d, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.02)


def test_more_patients_do_not_make_up_for_one_seed():
    few, many = (detectable_difference(n, 1, 0.02, sd_seed=0.01) for n in (50, 50_000))
    assert many > 0.9 * few > 2.8 * 0.01
    assert detectable_difference(50, 9, 0.02, 0.01) < few / 1.5


def test_bad_input_is_told():
    with pytest.raises(InputError, match="expected at least 2 patients and 1 seed"):
        detectable_difference(1, 1, 0.02)
    with pytest.raises(InputError, match=r"expected finite values of shape \(patients, seeds\)"):
        variance_components([1.0, 2.0])
