"""Decoding for Dice: the threshold by hand and by search, and never below the most probable class."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from regionwise.errors import InputError
from regionwise.inference import ToLabelsd
from regionwise.inference.decoding import LEVELS, dice_optimal_labels, dice_thresholds, expected_dice


def softmax_probabilities(seed, classes=3, size=6, scale=2.0):
    random = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(classes, size, size, size, generator=random)).softmax(0)


def best_mask(probabilities):
    """Return the highest expected Dice over the masks of the n most probable voxels, by trying every n."""
    ranked = probabilities.flatten().double().sort(descending=True).values
    counts = torch.arange(1, len(ranked) + 1)
    return float((2 * ranked.cumsum(0) / (ranked.sum() + counts + 1)).max())


def mean_expected_dice(probabilities, labels):
    structures = range(1, len(probabilities))
    return sum(expected_dice(probabilities[k], labels == k) for k in structures) / len(structures)


def test_the_threshold_of_two_equal_voxels_is_half_of_their_expected_dice():
    structure = torch.tensor([0.4, 0.4, 0.0, 0.0])
    threshold = dice_thresholds(torch.stack([1 - structure, structure]))
    assert float(threshold) == pytest.approx(0.5 * 2 * 0.8 / (0.8 + 2 + 1))
    assert dice_optimal_labels(torch.stack([1 - structure, structure])).tolist() == [1, 1, 0, 0]


@settings(derandomize=True, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 8))
def test_the_threshold_is_the_fixed_point_and_its_mask_the_best_of_all_sizes(seed, scale):
    probabilities = softmax_probabilities(seed, scale=scale)
    for structure, threshold in zip(probabilities[1:], dice_thresholds(probabilities), strict=True):
        dice = expected_dice(structure, structure > threshold)
        assert dice == pytest.approx(best_mask(structure), abs=1e-3)
        assert float(threshold) == pytest.approx(dice / 2, abs=1 / LEVELS)


@settings(derandomize=True, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 8), classes=st.integers(2, 5))
def test_the_expected_dice_is_never_below_that_of_the_most_probable_class(seed, scale, classes):
    probabilities = softmax_probabilities(seed, classes, scale=scale)
    usual = probabilities.argmax(0)
    gained = mean_expected_dice(probabilities, dice_optimal_labels(probabilities))
    assert gained >= mean_expected_dice(probabilities, usual)


def test_certain_probabilities_keep_their_labels():
    labels = torch.randint(0, 3, (5, 6, 7), generator=torch.Generator().manual_seed(0))
    probabilities = torch.nn.functional.one_hot(labels, 3).movedim(-1, 0).float()
    assert torch.equal(dice_optimal_labels(probabilities), labels.to(torch.uint8))


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 2, 4, 5)])
def test_a_scan_without_a_structure_has_none(shape):
    probabilities = torch.zeros(shape)
    probabilities[0] = 1
    assert dice_thresholds(probabilities).tolist() == [0, 0]
    assert not dice_optimal_labels(probabilities).any()


def test_an_uncertain_small_structure_is_kept_where_the_most_probable_class_drops_it():
    probabilities = torch.zeros(2, 1, 1, 100)
    probabilities[1, ..., :5] = 0.45
    probabilities[0] = 1 - probabilities[1]
    assert not probabilities.argmax(0).any()
    assert dice_optimal_labels(probabilities)[0, 0].tolist() == [1] * 5 + [0] * 95


def test_a_prediction_becomes_labels_and_the_rest_of_the_case_stays():
    probabilities = softmax_probabilities(0)
    scan = MetaTensor(probabilities, affine=torch.diag(torch.tensor([1.0, 2, 3, 1])))
    case = ToLabelsd("pred", "dice")({"pred": scan, "case_id": "a"})
    assert case["pred"].shape == (1, 6, 6, 6) and case["pred"].dtype == torch.uint8
    assert torch.equal(torch.as_tensor(case["pred"][0]), dice_optimal_labels(probabilities))
    assert torch.equal(case["pred"].affine, scan.affine)
    assert case["case_id"] == "a"


def test_labels_cannot_be_decoded_again():
    with pytest.raises(InputError, match="--decoding dice needs probabilities, found labels; pass --probabilities"):
        ToLabelsd("pred", "dice")({"pred": torch.zeros(1, 4, 4, 4)})


def test_another_decoding_is_refused():
    with pytest.raises(InputError, match=r"Unknown --decoding 'Dice'; did you mean 'dice'\? choices: argmax, dice"):
        ToLabelsd("pred", "Dice")
