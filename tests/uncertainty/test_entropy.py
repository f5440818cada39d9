"""Entropies by hand, and NaN that stays one."""

import math

import pytest
import torch
from regionwise.errors import InputError
from regionwise.uncertainty import expected_entropy, mutual_information, predictive_entropy


def test_three_voxels_by_hand():
    # Both sure and agreeing; both sure and disagreeing; both unsure and agreeing.
    first = torch.tensor([[1.0, 1.0, 0.5], [0.0, 0.0, 0.5]])
    second = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    samples = torch.stack([first, second])
    assert predictive_entropy(samples).tolist() == pytest.approx([0, math.log(2), math.log(2)])
    assert expected_entropy(samples).tolist() == pytest.approx([0, 0, math.log(2)])
    assert mutual_information(samples).tolist() == pytest.approx([0, math.log(2), 0])


def test_total_uncertainty_is_that_of_each_member_and_their_disagreement():
    samples = torch.randn(5, 4, 3, 6, 7, generator=torch.Generator().manual_seed(0)).softmax(1)
    total = predictive_entropy(samples)
    assert total.shape == (3, 6, 7)
    assert torch.allclose(total, expected_entropy(samples) + mutual_information(samples), atol=1e-6)
    assert total.max() <= math.log(4)
    assert mutual_information(samples).min() >= 0


def test_one_member_disagrees_with_nobody():
    sample = torch.rand(1, 3, 8, generator=torch.Generator().manual_seed(0)).softmax(1)
    assert mutual_information(sample).tolist() == [0] * 8


def test_nan_is_not_hidden():
    samples = torch.tensor([[[math.nan], [0.5]], [[0.5], [0.5]]])
    for measure in (predictive_entropy, expected_entropy, mutual_information):
        assert measure(samples).isnan().all()


@pytest.mark.parametrize("shape", [(0, 2, 4), (3, 1, 4), (3,)])
def test_wrong_samples(shape):
    with pytest.raises(InputError, match=r"expected samples of shape \(members, classes, \*spatial\)"):
        predictive_entropy(torch.ones(shape))
