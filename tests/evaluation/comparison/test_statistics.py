from itertools import product

import numpy as np
import pytest
from regionwise.evaluation.comparison.statistics import (
    bootstrap_interval,
    effect_size,
    holm,
    permutation_test,
    wilcoxon_test,
)
from scipy import stats


def enumerate_exchanges(d):
    means = [abs(np.mean(np.multiply(signs, d))) for signs in product((1, -1), repeat=len(d))]
    return np.mean(np.array(means) >= abs(np.mean(d)) - 1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_permutation_test_is_exact_for_few_cases(n):
    d = np.random.default_rng(n).normal(0.4, 1, n)
    assert permutation_test(d) == pytest.approx(enumerate_exchanges(d), abs=1e-12)


def test_permutation_test_by_hand():
    # Of the eight signs of (1, 2, 3) only +++ and --- reach |sum| = 6; ++- gives 0, +-+ 2, -++ 4.
    assert permutation_test([1, 2, 3]) == 2 / 8
    assert permutation_test([1, 1, -2]) == 1
    assert permutation_test([0.1, 0.2, -0.3]) == 1  # 0.1 + 0.2 - 0.3 is not 0 in binary


def test_random_exchanges_agree_with_all_of_them():
    d = np.random.default_rng(0).normal(0.5, 1, 12)
    assert permutation_test(d, permutations=4000) == pytest.approx(permutation_test(d, permutations=4096), abs=0.02)


def test_permutation_test_is_never_zero_and_is_reproducible():
    d = np.full(40, 1.0)
    assert permutation_test(d, permutations=999) == 1 / 1000
    noise = np.random.default_rng(3).normal(size=40)
    assert permutation_test(noise) == permutation_test(noise)
    assert permutation_test([]) == 1


def test_permutation_test_holds_its_level():
    """Without a difference about 5 % of tests fall below 0.05; Dice-like skewed values."""
    rng = np.random.default_rng(1)
    simulations = 800
    p = [
        permutation_test(rng.beta(8, 2, 20) - rng.beta(8, 2, 20), permutations=400, seed=one)
        for one in range(simulations)
    ]
    rejected = int(np.sum(np.array(p) < 0.05))
    low, high = stats.binom.ppf((0.001, 0.999), simulations, 0.05)
    assert low <= rejected <= high


def test_permutation_test_sees_a_difference():
    d = np.random.default_rng(2).normal(0.5, 1, 50)
    assert permutation_test(d) < 0.01


def test_mean_of_absolute_differences_would_be_no_test():
    """Why the statistic is |mean d|: mean |d|, which the paper names, is the same after every exchange."""
    d = np.array([1.0, -2.0, 3.0])
    assert {np.abs(np.multiply(signs, d)).mean() for signs in product((1, -1), repeat=3)} == {2.0}


def test_wilcoxon_against_scipy_and_without_differences():
    d = np.random.default_rng(0).normal(0.3, 1, 15)
    assert wilcoxon_test(d) == stats.wilcoxon(d).pvalue
    assert wilcoxon_test(np.zeros(10)) == 1


def test_bootstrap_interval_of_normal_values_is_the_normal_one():
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)
    assert bootstrap_interval([3, 3, 3]) == (3, 3)
    assert bootstrap_interval([3]) is None


def test_holm_by_hand():
    # Sorted 0.01, 0.03, 0.04 times 3, 2, 1; each at least the one before.
    assert holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_effect_size():
    assert effect_size([1, 3]) == pytest.approx(2 / np.sqrt(2))
    assert effect_size([2, 2]) is None
    assert effect_size([2]) is None
