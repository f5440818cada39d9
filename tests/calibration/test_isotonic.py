"""Isotonic calibration: what is known of simulated classes, labels that stay, and what cannot be fitted."""

import doctest

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from regionwise.calibration import ClassMaps, fit_isotonic, isotonic
from regionwise.errors import InputError


def drawn(number=60_000, sharper=3.0):
    random = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(number, 3, generator=random)
    labels = torch.multinomial(true.softmax(1), 1, generator=random)[:, 0]
    return sharper * true, labels, true.softmax(1)


def test_the_examples_of_the_docstrings_run():
    results = doctest.testmod(isotonic)
    assert results.attempted > 0
    assert results.failed == 0


def test_frequencies_of_the_classes_are_found():
    logits, labels, true = drawn()
    maps = fit_isotonic(logits[:30_000], labels[:30_000])
    before, rest = logits[30_000:].softmax(1), labels[30_000:]
    after = maps.scale_probabilities(before.T).T
    assert torch.allclose(after.sum(1), torch.ones(30_000), atol=1e-5)
    assert (after.argmax(1) == before.argmax(1)).all()
    chosen = torch.arange(30_000), rest
    assert -after[chosen].log().mean() < -before[chosen].clamp(min=1e-7).log().mean() - 0.2
    assert (after - true[30_000:]).abs().mean() < 0.06


def test_weights_of_the_rows_count():
    logits = torch.tensor([[0.2, 0.8]]).log().expand(4000, 2)
    labels = (torch.arange(4000) % 2).long()
    weights = torch.where(labels == 1, 3.0, 1.0)
    found = fit_isotonic(logits, labels, weights).scale_probabilities(torch.tensor([0.2, 0.8]))
    assert found.tolist() == pytest.approx([0.25, 0.75], abs=1e-3)


@given(seed=st.integers(0, 2**16), classes=st.integers(2, 5))
@settings(derandomize=True, max_examples=50, deadline=None)
def test_no_map_changes_a_label(seed, classes):
    random = np.random.default_rng(seed)
    knots = [np.sort(random.random(4)) for _ in range(classes)]
    maps = ClassMaps(knots, [np.sort(random.random(4)) for _ in range(classes)])
    p = torch.from_numpy(random.dirichlet(np.full(classes, 0.5), 100).T.astype(np.float32))
    after = maps.scale_probabilities(p)
    assert (after.argmax(0) == p.argmax(0)).all()
    assert torch.allclose(after.sum(0), torch.ones(100), atol=1e-5)


def test_few_knots_and_no_certainty():
    logits, labels, _ = drawn()
    maps = fit_isotonic(logits, labels)
    for knots, values in zip(maps.knots, maps.values, strict=True):
        assert len(knots) == len(values) <= 2 * isotonic.LEVELS + 2
        assert (np.diff(knots) > 0).all()
        assert (np.diff(values) >= 0).all()
        assert 0 < values[0] < values[-1] < 1


def test_what_cannot_be_fitted_or_applied():
    with pytest.raises(InputError, match="expected logits of at least one voxel, found none"):
        fit_isotonic(torch.empty(0, 3), torch.empty(0, dtype=torch.long))
    maps = ClassMaps([[0.0, 1.0]] * 2, [[0.1, 0.9]] * 2)
    with pytest.raises(InputError, match="expected 2 classes, as calibrated, found 3"):
        maps.scale_probabilities(torch.full((3, 4, 4), 1 / 3))
