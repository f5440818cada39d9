import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.evaluation import bootstrap_ranks


def test_ranks_by_hand():
    dice = {"a": [0.9, 0.8], "b": [0.5, 0.6], "c": [0.7, 0.7]}
    ranking = bootstrap_ranks(dice)
    assert ranking.ranks == {"a": 1, "b": 3, "c": 2}
    assert ranking.shares == {"a": [1, 0, 0], "b": [0, 0, 1], "c": [0, 1, 0]}
    assert (ranking.tau, ranking.tau_low) == (pytest.approx(1), pytest.approx(1))
    assert bootstrap_ranks(dice, higher_is_better=False).ranks == {"a": 3, "b": 1, "c": 2}


def test_one_patient_decides_a_mean_but_no_mean_rank():
    dice = {"steady": [0.80, 0.80, 0.80], "one_failure": [0.81, 0.81, 0.10]}
    assert bootstrap_ranks(dice, order="mean_then_rank").ranks == {"steady": 1, "one_failure": 2}
    assert bootstrap_ranks(dice, order="rank_then_mean").ranks == {"steady": 2, "one_failure": 1}


def test_tied_methods_share_a_rank_and_have_no_tau():
    ranking = bootstrap_ranks({"a": [0.1, 0.7], "b": [0.7, 0.1]})
    assert ranking.ranks == {"a": 1.5, "b": 1.5}
    # Half of the samples hold both patients once, a quarter each twice.
    assert ranking.shares["a"][0] == pytest.approx(0.75, abs=0.05)
    assert bootstrap_ranks({"a": [0.5, 0.5], "b": [0.5, 0.5]}).tau == 0


def test_methods_without_a_difference_change_ranks():
    values = np.random.default_rng(0).normal(0.8, 0.05, (4, 30))
    ranking = bootstrap_ranks(dict(zip("abcd", values, strict=True)))
    assert ranking.tau < 0.9
    assert all(sum(share) == pytest.approx(1) for share in ranking.shares.values())


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ({"a": [1.0]}, {}, "expected two methods or more with one value per patient each"),
        ({"a": [1.0], "b": [1.0, 2.0]}, {}, "expected two methods or more with one value per patient each"),
        ({"a": [1.0], "b": [np.nan]}, {}, "expected finite values, found NaN or infinity"),
        (
            {"a": [1.0], "b": [2.0]},
            {"order": "mean_then_rnk"},
            "Unknown order 'mean_then_rnk'; did you mean 'mean_then_rank'",
        ),
    ],
)
def test_bad_input_is_told(values, options, message):
    with pytest.raises(InputError, match=message):
        bootstrap_ranks(values, **options)
