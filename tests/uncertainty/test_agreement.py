"""Agreement of members and soft Dice confidence by hand, against the plain formulas, and in parts."""

import itertools
import math

import numpy as np
import pytest
import torch
from regionwise.errors import InputError
from regionwise.metrics import confidence_of_sums, counts, dice
from regionwise.uncertainty import agreement, label_overlaps, pairwise_dice, soft_dice_confidence, volume_interval


def label_maps(members=4, classes=3, shape=(5, 6, 7), seed=0):
    return torch.randint(0, classes, (members, *shape), generator=torch.Generator().manual_seed(seed))


def test_pairwise_dice_is_the_mean_over_pairs():
    members = label_maps()
    found = pairwise_dice(label_overlaps(members, 3))
    for label in (1, 2):
        masks = [one.numpy() == label for one in members]
        expected = np.mean([dice(counts(a, b)) for a, b in itertools.combinations(masks, 2)])
        assert found[label - 1] == pytest.approx(expected, abs=1e-12)


def test_members_that_agree_and_members_that_do_not():
    one = torch.tensor([[0, 1, 1, 0]])
    assert pairwise_dice(label_overlaps(torch.cat([one, one, one]), 2)).tolist() == [1]
    assert pairwise_dice(label_overlaps(torch.cat([one, 1 - one]), 2)).tolist() == [0]


def test_a_structure_in_no_member_is_agreed_on_and_in_one_it_is_not():
    nothing, something = torch.zeros(1, 4), torch.tensor([[0, 0, 1, 0]])
    assert pairwise_dice(label_overlaps(torch.cat([nothing, nothing]), 2)).tolist() == [1]
    assert pairwise_dice(label_overlaps(torch.cat([nothing, something]), 2)).tolist() == [0]


def test_one_member_has_no_agreement():
    assert math.isnan(pairwise_dice(label_overlaps(label_maps(members=1), 2))[0])


def test_parts_add_up(monkeypatch):
    members = label_maps()
    whole = label_overlaps(members, 3)
    assert torch.equal(whole, label_overlaps(members[:, :2], 3) + label_overlaps(members[:, 2:], 3))
    monkeypatch.setattr(agreement, "_AT_ONCE", 11)
    assert torch.equal(whole, label_overlaps(members, 3))


def test_overlaps_of_another_shape():
    with pytest.raises(InputError, match=r"expected overlaps of shape \(structures, M, M\), found \(2, 3\)"):
        pairwise_dice(torch.zeros(2, 3))


def test_certain_probabilities_are_trusted_wholly():
    labels = label_maps(members=1)[0]
    p = torch.nn.functional.one_hot(labels, 3).movedim(-1, 0).float()
    assert soft_dice_confidence(p, labels).tolist() == pytest.approx([1, 1])


def test_soft_dice_confidence_by_hand():
    p = torch.tensor([0.9, 0.6, 0.1, 0.0])
    found = soft_dice_confidence(torch.stack([1 - p, p]), torch.tensor([1, 1, 0, 0]))
    assert found.item() == pytest.approx(2 * 1.5 / (1.6 + 2), abs=1e-6)


def test_an_absent_structure_is_trusted_as_far_as_it_is_surely_absent():
    p = torch.tensor([0.1, 0.2, 0.0])
    labels = torch.zeros(3, dtype=torch.long)
    assert soft_dice_confidence(torch.stack([1 - p, p]), labels).item() == pytest.approx(0.9 * 0.8, abs=1e-6)
    assert soft_dice_confidence(torch.stack([1 - 0 * p, 0 * p]), labels).item() == 1


def test_soft_dice_sums_of_parts_add_up():
    p = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)).softmax(0)
    labels = p.argmax(0)
    parts = agreement.soft_dice_sums(p[:, :2], labels[:2]) + agreement.soft_dice_sums(p[:, 2:], labels[2:])
    assert confidence_of_sums(*parts.T) == pytest.approx(soft_dice_confidence(p, labels), abs=1e-12)


def test_labels_of_another_shape():
    with pytest.raises(InputError, match=r"expected labels of shape \(4,\), as the probabilities, found \(5,\)"):
        soft_dice_confidence(torch.ones(2, 4), torch.ones(5))


def test_volumes():
    low, high, variation = volume_interval(np.arange(101), share=0.9)
    assert (low, high) == pytest.approx((5, 95))
    assert variation == pytest.approx(np.arange(101).std(ddof=1) / 50)


def test_a_volume_without_spread_and_one_without_a_mean():
    assert volume_interval([2.0]) == (2, 2, None)
    assert volume_interval([0.0, 0.0]) == (0, 0, None)
    with pytest.raises(InputError, match="at least one member"):
        volume_interval([])
