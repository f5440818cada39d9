"""Members of an ensemble: their mean is the ensemble's, and their maps those of the plain formulas."""

import pytest
import torch
from regionwise.errors import InputError
from regionwise.inference import ProbabilityEnsemble
from regionwise.prediction.inferer import UncertaintyInferer
from regionwise.prediction.measures import Measures
from regionwise.prediction.members import Members
from regionwise.uncertainty import expected_entropy, mutual_information, predictive_entropy
from torch import nn


def network(axes, seed, dropout=0.0):
    torch.manual_seed(seed)
    convolution = nn.Conv2d if axes == 2 else nn.Conv3d
    layers = [
        convolution(1, 4, 3, padding=1),
        nn.ReLU(),
        *([nn.Dropout(dropout)] if dropout else []),
        convolution(4, 3, 1),
    ]
    return nn.Sequential(*layers).eval()


def volume(shape=(1, 1, 12, 10, 9), seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("axes", [2, 3])
def test_the_mean_of_the_members_is_the_ensemble(axes):
    networks = [network(axes, seed) for seed in (0, 1)]
    image = torch.randn(2, 1, *[8] * axes)
    members = Members(networks, tta=True)
    assert len(list(members.members(axes))) == 2 * 2**axes
    assert torch.allclose(members(image), ProbabilityEnsemble(networks, tta=True)(image), atol=1e-6)


def test_samples_of_dropout_differ_and_without_them_dropout_is_off():
    image = torch.randn(1, 1, 8, 8)
    sampling = Members([network(2, 0, dropout=0.5)], tta=False, samples=4)
    torch.manual_seed(0)
    drawn = torch.stack([member(image) for member in sampling.members(2)])
    assert drawn.shape == (4, 1, 3, 8, 8)
    assert mutual_information(drawn[:, 0]).max() > 0
    quiet = Members([network(2, 0, dropout=0.5)], tta=False)
    quiet.train()
    assert torch.equal(quiet(image), quiet(image))


def test_a_network_without_dropout_has_nothing_to_sample():
    with pytest.raises(InputError, match="the network has no dropout to sample from; pass --dropout"):
        Members([network(2, 0)], samples=3)
    with pytest.raises(InputError, match="expected --samples of at least 0, got -1"):
        Members([network(2, 0, dropout=0.1)], samples=-1)


@pytest.mark.parametrize(("axes", "slice_axis"), [(2, 2), (2, 0), (3, 2)])
def test_maps_and_measures_are_those_of_the_whole_volume(axes, slice_axis):
    """In parts of two slices, or at once, the plain formulas hold."""
    networks, image = [network(axes, seed) for seed in (0, 1, 2)], volume()
    members, measures = Members(networks, tta=False), Measures()
    if axes == 2:
        planes = image[0].movedim(slice_axis + 1, 0)
        samples = torch.stack([one(planes).movedim(0, 1).movedim(1, slice_axis + 1) for one in members.members(2)])
        roi = list(planes.shape[2:])
    else:
        samples = torch.stack([one(image)[0] for one in members.members(3)])
        roi = list(image.shape[2:])
    samples = samples.detach()
    inferer = UncertaintyInferer(roi, measures, slice_axis, slices=2)
    with torch.no_grad():
        result = inferer(image, members)[0]
    assert result.shape == (5, 12, 10, 9)
    assert torch.allclose(result[:3], samples.mean(0), atol=1e-6)
    assert torch.allclose(result[3], predictive_entropy(samples), atol=1e-5)
    assert torch.allclose(result[4], mutual_information(samples), atol=1e-5)
    assert torch.all(result[3] >= expected_entropy(samples) - 1e-5)
    whole = Measures()
    whole.start(1e-3)
    whole.add(samples)
    row = measures.row(["A", "B"])
    assert row["members"] == 3
    for key, value in whole.row(["A", "B"]).items():
        assert row[key] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-4)), key


def test_labels_instead_of_probabilities():
    members, measures = Members([network(2, 0)], tta=True), Measures()
    image = volume()
    roi = [12, 10]
    with torch.no_grad():
        probabilities = UncertaintyInferer(roi, measures)(image, members)[0]
        labels = UncertaintyInferer(roi, measures, probabilities=False)(image, members)[0]
    assert labels.dtype == torch.float16
    assert labels.shape == (3, 12, 10, 9)
    assert torch.equal(labels[0].long(), probabilities[:3].argmax(0))
    assert torch.allclose(labels[1:].float(), probabilities[3:], atol=1e-3)


def test_one_member_is_trusted_as_its_probabilities_say():
    measures = Measures()
    measures.start(2.0)
    p = torch.tensor([[0.1, 0.4, 1.0], [0.9, 0.6, 0.0]])
    measures.add([p])
    row = measures.row(["A"])
    assert row["trust_score"] == "soft Dice confidence"
    assert row["trust"] == pytest.approx(2 * 1.5 / 3.5)
    assert (row["A pairwise_dice"], row["A volume_cv"]) == (None, None)
    assert row["A expected_volume_ml"] == pytest.approx(3)


def test_noisier_members_are_trusted_less():
    """More and more noise on the members of one prediction lowers its trust."""
    random = torch.Generator().manual_seed(0)
    logits = torch.zeros(2, 16, 16)
    logits[1, 4:12, 4:12] = 4
    trusts = []
    for sigma in (0, 1, 2, 4, 8):
        measures = Measures()
        measures.add([(logits + sigma * torch.randn(2, 16, 16, generator=random)).softmax(0) for _ in range(5)])
        trusts.append(measures.row(["A"])["trust"])
    assert trusts[0] == 1
    assert trusts == sorted(trusts, reverse=True)
    assert trusts[-1] < 0.6
