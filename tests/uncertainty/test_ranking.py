"""Areas under risk-coverage curves: closed forms, ties, an independent integral; the cases to review."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regionwise.errors import InputError
from regionwise.uncertainty import augrc, aurc, cases_to_review, trust_threshold

N = 40


@pytest.mark.parametrize("failures", [0, 1, 7, 20, 40])
def test_closed_forms_with_binary_risks(failures):
    risk = np.array([1.0] * failures + [0.0] * (N - failures))
    e = failures / N
    perfect, reverse, constant = -risk, risk, np.zeros(N)
    assert aurc(risk, constant) == pytest.approx(e, abs=1e-12)
    assert augrc(risk, constant) == pytest.approx(e / 2, abs=1e-12)
    assert augrc(risk, perfect) == pytest.approx(e**2 / 2, abs=1e-12)
    assert augrc(risk, reverse) == pytest.approx(e - e**2 / 2, abs=1e-12)
    assert aurc(risk, perfect) == pytest.approx(e + (1 - e) * math.log(1 - e) if e < 1 else 1, abs=1e-12)
    assert aurc(risk, reverse) == pytest.approx(e - e * math.log(e) if e else 0, abs=1e-12)


def test_random_order_gives_the_constant_on_average():
    """All orders of six cases: the generalized risk is linear in the order, so its mean is that of no information."""
    risk = np.array([0.1, 0.4, 0.2, 0.9, 0.0, 0.3])
    areas = [augrc(risk, order) for order in itertools.permutations(range(6))]
    assert np.mean(areas) == pytest.approx(risk.mean() / 2, abs=1e-12)
    assert np.mean(areas) == pytest.approx(augrc(risk, np.ones(6)), abs=1e-12)
    assert min(areas) == pytest.approx(augrc(risk, -risk), abs=1e-12)
    assert max(areas) == pytest.approx(augrc(risk, risk), abs=1e-12)


@settings(derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cases=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=1, max_size=30),
)
def test_the_order_of_cases_changes_nothing(seed, cases):
    risk, confidence = np.array(cases).T
    order = np.random.default_rng(seed).permutation(len(risk))
    for area in (aurc, augrc):
        assert area(risk[order], confidence[order]) == pytest.approx(area(risk, confidence), abs=1e-12)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(cases=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=1, max_size=8))
def test_areas_are_the_integrals_of_the_curves(cases):
    risk, confidence = np.array(cases).T
    order = np.argsort(-confidence, kind="stable")
    # Cases of one confidence share their risk, then each is spread over its share of the coverage.
    shared = np.array([risk[confidence == one].mean() for one in confidence[order]])
    fine = np.repeat(shared, 4000) / 4000 / len(risk)
    coverage = np.arange(1, len(fine) + 1) / len(fine)
    total = np.cumsum(fine)
    assert augrc(risk, confidence) == pytest.approx(total.mean(), abs=1e-3)
    assert aurc(risk, confidence) == pytest.approx((total / coverage).mean(), abs=1e-3)


def test_only_the_order_of_confidences_counts():
    risk, confidence = np.array([0.1, 0.5, 0.3]), np.array([0.3, 0.1, 0.2])
    assert aurc(risk, confidence) == aurc(risk, np.exp(10 * confidence))


def test_at_least_the_wanted_share_is_accepted():
    confidence = np.arange(10) / 10
    send, accepted = cases_to_review(confidence, coverage=0.9)
    assert send.tolist() == [True] + [False] * 9
    assert accepted == pytest.approx(0.9)
    assert cases_to_review(confidence, coverage=0.85)[0].sum() == 1
    assert cases_to_review(confidence, coverage=1)[0].sum() == 0
    assert not cases_to_review(confidence[:5], coverage=0.9)[0].any()


def test_tied_cases_are_treated_alike():
    send, accepted = cases_to_review([0.5, 0.5, 0.5, 0.9], coverage=0.5)
    assert send.tolist() == [False] * 4
    assert accepted == 1


def test_a_threshold_of_other_cases():
    threshold = trust_threshold(np.arange(100) / 100, coverage=0.9)
    assert threshold == 0.1
    assert cases_to_review([0.05, 0.1, 0.5], threshold=threshold)[0].tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("risk", "confidence", "message"),
    [
        ([], [], r"expected one risk per case, found an array of shape \(0,\)"),
        ([0.1], [0.1, 0.2], "expected one confidence per risk, found 2 for 1"),
        ([0.1, math.nan], [0.1, 0.2], "expected a finite risk per case, found nan"),
        ([0.1, 0.2], [0.1, math.inf], "expected a finite confidence per case, found inf"),
    ],
)
def test_bad_numbers(risk, confidence, message):
    with pytest.raises(InputError, match=message):
        aurc(risk, confidence)


def test_a_coverage_that_is_none():
    with pytest.raises(InputError, match=r"expected a coverage in \(0, 1\], got 0"):
        trust_threshold([1, 2], coverage=0)
