from itertools import product

import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.evaluation import (
    cluster_permutation_test,
    equivalence_test,
    false_claim_probability,
    holm,
    max_t,
    two_level_bootstrap,
)
from regionwise.evaluation.comparison.statistics import effect_size, wilcoxon_test
from scipy import stats


def enumerate_exchanges(d):
    means = [abs(np.mean(np.multiply(signs, d))) for signs in product((1, -1), repeat=len(d))]
    return np.mean(np.array(means) >= abs(np.mean(d)) - 1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_permutation_test_is_exact_for_few_cases(n):
    d = np.random.default_rng(n).normal(0.4, 1, n)
    assert cluster_permutation_test(d) == pytest.approx(enumerate_exchanges(d), abs=1e-12)


@pytest.mark.parametrize("pair", range(10))
def test_permutation_test_agrees_with_scipy(pair):
    rng = np.random.default_rng(pair)
    a, b = rng.beta(8, 2, 11), rng.beta(7, 2, 11)
    theirs = stats.permutation_test(
        (a - b,), lambda d, axis: d.mean(axis=axis), permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    assert cluster_permutation_test(a - b) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_permutation_test_by_hand():
    # Of the eight signs of (1, 2, 3) only +++ and --- reach |sum| = 6; ++- gives 0, +-+ 2, -++ 4.
    assert cluster_permutation_test([1, 2, 3]) == 2 / 8
    assert cluster_permutation_test([1, 1, -2]) == 1
    assert cluster_permutation_test([0.1, 0.2, -0.3]) == 1  # 0.1 + 0.2 - 0.3 is not 0 in binary


def test_random_exchanges_agree_with_all_of_them():
    d = np.random.default_rng(0).normal(0.5, 1, 12)
    few, all_of_them = cluster_permutation_test(d, permutations=4000), cluster_permutation_test(d, permutations=4096)
    assert few == pytest.approx(all_of_them, abs=0.02)


def test_permutation_test_is_never_zero_and_is_reproducible():
    d = np.full(40, 1.0)
    assert cluster_permutation_test(d, permutations=999) == 1 / 1000
    noise = np.random.default_rng(3).normal(size=40)
    assert cluster_permutation_test(noise) == cluster_permutation_test(noise)
    assert cluster_permutation_test([]) == 1


def test_mean_of_absolute_differences_would_be_no_test():
    """Why the statistic is |mean d|: mean |d|, which the paper names, is the same after every exchange."""
    d = np.array([1.0, -2.0, 3.0])
    assert {np.abs(np.multiply(signs, d)).mean() for signs in product((1, -1), repeat=3)} == {2.0}


def test_frames_of_a_patient_are_exchanged_together():
    d = [1, 3, 2, 2, 4, 0]
    patients = ["a", "a", "b", "b", "c", "c"]
    assert cluster_permutation_test(d, patients) == cluster_permutation_test([2, 2, 2]) == 2 / 8
    # A patient with many frames counts once.
    assert cluster_permutation_test([5, *[1] * 9], ["a", *"b" * 9]) == cluster_permutation_test([5, 1])


def simulate_null_studies(studies, icc=0.8, patients=20, frames=2):
    """Yield differences (cases,) without an effect, and the patient of each."""
    names = np.repeat(np.arange(patients), frames)
    for study in range(studies):
        rng = np.random.default_rng([study, 7])
        shared = rng.normal(0, np.sqrt(icc), patients)
        yield shared[names] + rng.normal(0, np.sqrt(1 - icc), len(names)), names, study


def test_the_cluster_test_holds_its_level_where_the_test_over_cases_does_not():
    """2,000 null studies of 20 patients with 2 frames each, intraclass correlation 0.8."""
    rejected = np.zeros(2)
    for d, names, study in simulate_null_studies(2000):
        rejected[0] += cluster_permutation_test(d, names, permutations=999, seed=study) < 0.05
        rejected[1] += cluster_permutation_test(d, permutations=999, seed=study) < 0.05
    by_patient, by_case = rejected / 2000
    print(f"false rejections at 0.05: {by_patient:.3f} over patients, {by_case:.3f} over cases")
    assert 0.04 <= by_patient <= 0.06
    assert by_case > 0.12


def test_max_t_of_one_hypothesis_is_the_permutation_test():
    d = np.random.default_rng(4).normal(0.4, 1, 9)
    assert max_t(d[:, None]) == [pytest.approx(cluster_permutation_test(d), abs=1e-12)]


def test_max_t_of_equal_hypotheses_corrects_for_none():
    d = np.random.default_rng(5).normal(0.5, 1, 10)
    p = cluster_permutation_test(d)
    assert max_t(np.stack([d, 3 * d, -d], axis=1)) == pytest.approx([p] * 3)
    assert holm([p] * 3)[0] == pytest.approx(min(1, 3 * p))


def test_max_t_of_independent_hypotheses_is_near_holm():
    d = np.random.default_rng(6).normal([0.9, 0.5, 0], 1, (13, 3))
    alone = [cluster_permutation_test(one) for one in d.T]
    adjusted = max_t(d)
    assert all(a >= p - 1e-12 for a, p in zip(adjusted, alone, strict=True))
    assert adjusted == pytest.approx(holm(alone), abs=0.1)
    assert max_t(np.repeat(d, 2, axis=0), np.repeat(np.arange(13), 2)) == pytest.approx(adjusted)


def test_max_t_controls_false_rejections_of_the_family():
    rng = np.random.default_rng(8)
    any_rejected = 0
    for study in range(400):
        d = rng.normal(size=(12, 1)) * 0.8 + rng.normal(size=(12, 5)) * 0.6
        any_rejected += min(max_t(d, permutations=499, seed=study)) < 0.05
    low, high = stats.binom.ppf((0.001, 0.999), 400, 0.05)
    assert low <= any_rejected <= high


def test_max_t_without_differences():
    assert max_t(np.zeros((6, 2))) == [1, 1]
    assert max_t(np.zeros((0, 2))) == [1, 1]
    with pytest.raises(InputError, match=r"expected differences of shape \(cases, hypotheses\), found \(3,\)"):
        max_t(np.zeros(3))


def test_wilcoxon_against_scipy_and_without_differences():
    d = np.random.default_rng(0).normal(0.3, 1, 15)
    assert wilcoxon_test(d) == stats.wilcoxon(d).pvalue
    assert wilcoxon_test(np.zeros(10)) == 1


def test_bootstrap_of_one_level_is_scipys():
    values = np.random.default_rng(0).beta(8, 2, 60)
    ours = two_level_bootstrap(values)
    for method, bounds in (("percentile", ours[:2]), ("BCa", ours[2:])):
        theirs = stats.bootstrap((values,), np.mean, method=method, n_resamples=10_000, rng=1).confidence_interval
        assert bounds == pytest.approx(tuple(theirs), abs=0.06 * (theirs.high - theirs.low))


def test_bootstrap_of_normal_values_is_the_normal_interval():
    values = np.random.default_rng(0).normal(5, 2, 400)
    interval = two_level_bootstrap(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)
    assert not interval.methods_differ
    assert two_level_bootstrap([3, 3, 3]) == (3, 3, 3, 3)
    assert two_level_bootstrap([3]) is None
    assert two_level_bootstrap([3, 4], ["a", "a"]) is None


def test_bootstrap_of_skewed_values_says_that_its_methods_differ():
    assert two_level_bootstrap([0] * 9 + [1, 30]).methods_differ


def test_seeds_widen_the_interval():
    rng = np.random.default_rng(1)
    patients, seeds = np.repeat(np.arange(40), 4), np.tile(np.arange(4), 40)
    steady = rng.normal(0, 1, 40)[patients]
    varied = steady + rng.normal(0, 1, 4)[seeds]
    narrow, wide = (two_level_bootstrap(one, patients, seeds) for one in (steady, varied))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_the_difference_of_two_methods_draws_the_same_patients():
    rng = np.random.default_rng(2)
    patients = rng.normal(0, 1, 50)
    a, b = patients + 0.1 + rng.normal(0, 0.01, 50), patients + rng.normal(0, 0.01, 50)
    names = [f"p{i}" for i in range(50)]
    interval = two_level_bootstrap(a, names, minus=(b[::-1], names[::-1], None))
    assert interval.low == pytest.approx(0.1, abs=0.01) and interval.high == pytest.approx(0.1, abs=0.01)
    with pytest.raises(InputError, match="expected the same patients in both methods"):
        two_level_bootstrap(a, names, minus=(b, range(50), None))


@pytest.mark.parametrize("seed_sd", [0, 0.3])
def test_coverage_of_the_two_level_interval(seed_sd):
    """50 patients with 2 frames each and 3 seeds; skewed values as those of Dice."""
    rng = np.random.default_rng(9)
    patients = np.repeat(np.arange(50), 6)
    seeds = np.tile(np.arange(3), 100)
    covered = studies = 0
    for _ in range(600):
        values = rng.beta(8, 2, 50)[patients] + rng.normal(0, 0.03, 300) + rng.normal(0, seed_sd * 0.02, 3)[seeds]
        interval = two_level_bootstrap(values, patients, seeds, resamples=600, seed=studies)
        covered += interval.low <= 0.8 <= interval.high
        studies += 1
    print(f"coverage of the 95 % interval: {covered / studies:.3f}")
    assert 0.92 <= covered / studies <= 0.97


def test_incomplete_observations_raise():
    with pytest.raises(InputError, match="seed 2 has no value of patient b"):
        two_level_bootstrap([1, 2, 3], ["a", "a", "b"], [1, 2, 1])
    with pytest.raises(InputError, match="expected a patient and a seed per value, found 2, 3, 3"):
        two_level_bootstrap([1, 2, 3], ["a", "b"])
    with pytest.raises(InputError, match="expected one finite value per observation"):
        two_level_bootstrap([1, np.nan])
    with pytest.raises(InputError, match="expected finite values, found NaN or infinity"):
        cluster_permutation_test([1, np.inf])
    with pytest.raises(InputError, match="expected one cluster per value, found 1 for 2 values"):
        cluster_permutation_test([1, 2], ["a"])


def test_holm_by_hand():
    # Sorted 0.01, 0.03, 0.04 times 3, 2, 1; each at least the one before.
    assert holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_effect_size():
    assert effect_size([1, 3]) == pytest.approx(2 / np.sqrt(2))
    assert effect_size([2, 2]) is None
    assert effect_size([0.1 + 0.2, 0.3]) is None  # equal but for rounding
    assert effect_size([2]) is None


def test_equivalence_is_two_one_sided_tests():
    d = np.random.default_rng(0).normal(0.002, 0.01, 40)
    found = equivalence_test(d, 0.01)
    upper, lower = (
        stats.ttest_1samp(d, bound, alternative=side).pvalue for bound, side in ((0.01, "less"), (-0.01, "greater"))
    )
    assert found.p == pytest.approx(max(upper, lower), abs=1e-12)
    interval = stats.ttest_1samp(d, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx(tuple(interval))
    assert (found.p < 0.05) == (found.low > -0.01 and found.high < 0.01)


def test_equivalence_of_few_or_equal_values():
    assert equivalence_test([0.1], 1) is None
    assert equivalence_test([0, 0, 0], 0.01).p == 0
    assert equivalence_test([0.1, 0.1], 0.01).p == 1
    assert equivalence_test([0.1, -0.1, 0, 0], 1, ["a", "a", "b", "b"]).p == 0
    with pytest.raises(InputError, match="expected a margin > 0, got 0"):
        equivalence_test([1, 2], 0)


def test_false_claim_probability():
    d = [0.01, 0.03, 0.02, -0.01]
    expected = stats.norm.cdf(-np.mean(d) * 2 / np.std(d, ddof=1))
    assert false_claim_probability(d) == pytest.approx(expected)
    assert false_claim_probability(np.negative(d)) == pytest.approx(1 - expected)
    assert false_claim_probability(np.repeat(d, 3), np.repeat(range(4), 3)) == pytest.approx(expected)
    assert (false_claim_probability([1, 1]), false_claim_probability([-1, -1])) == (0, 1)
    assert (false_claim_probability([0, 0]), false_claim_probability([1])) == (0.5, None)
