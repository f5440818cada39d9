"""Temperature and vector scaling: what was done to the logits is found, labels stay, and the weights carry it."""

import numpy as np
import pytest
import torch
from regionwise.calibration import Scaling, fit_lead, fit_scaling, scale_logits, scale_probabilities, scale_weights
from regionwise.errors import InputError


@pytest.fixture(scope="module")
def calibrated():
    """Return logits and labels drawn from their softmax: by definition calibrated."""
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(300_000, 3, generator=random, dtype=torch.float64) - torch.tensor([0.0, 1.0, 2.0])
    return logits, torch.multinomial(logits.softmax(1), 1, generator=random)[:, 0]


def test_a_temperature_of_three_is_recovered(calibrated):
    logits, labels = calibrated
    found = fit_scaling(3 * logits, labels)
    assert found.temperature == pytest.approx([3, 3, 3], rel=0.01)
    assert found.shift == (0, 0, 0)


def test_probabilities_say_as_much_as_logits(calibrated):
    logits, labels = calibrated
    found = fit_scaling((3 * logits).float().softmax(1).clamp(min=1e-30).log(), labels)
    assert found.temperature == pytest.approx([3, 3, 3], rel=0.01)


def test_temperatures_and_shifts_of_the_classes_are_recovered(calibrated):
    logits, labels = calibrated
    temperature, shift = torch.tensor([2.0, 3.0, 1.0]), torch.tensor([0.0, 0.5, -0.5])
    found = fit_scaling(logits * temperature + shift, labels, "vector")
    assert found.temperature == pytest.approx(temperature.tolist(), rel=0.03)
    undone = scale_logits((logits * temperature + shift).T, found).softmax(0).T
    assert torch.allclose(undone, logits.softmax(1), atol=0.02)


def test_a_temperature_and_shifts_are_recovered_from_probabilities(calibrated):
    logits, labels = calibrated
    p = (logits * 2 + torch.tensor([0.0, 0.5, -0.5])).softmax(1)
    found = fit_scaling(p.log(), labels, "bias")
    assert found.temperature == pytest.approx([2, 2, 2], rel=0.01)
    assert torch.allclose(scale_probabilities(p.T, found).T, logits.softmax(1), atol=0.01)


def test_weights_stand_for_repeated_rows(calibrated):
    logits, labels = (one[:2000] for one in calibrated)
    weights = torch.ones(2000)
    weights[:500] = 3
    repeated = torch.cat([logits, logits[:500], logits[:500]]), torch.cat([labels, labels[:500], labels[:500]])
    assert fit_scaling(logits, labels, weights=weights).temperature == pytest.approx(fit_scaling(*repeated).temperature)


def test_a_temperature_keeps_the_labels():
    p = torch.randn(4, 5, 6, 7, generator=torch.Generator().manual_seed(0)).softmax(0)
    scaling = Scaling((2.5,) * 4, (0.0,) * 4)
    scaled = scale_probabilities(p, scaling)
    assert scaling.keeps_labels
    assert torch.equal(scaled.argmax(0), p.argmax(0))
    assert torch.allclose(scaled.sum(0), torch.ones(5, 6, 7))
    assert scaled.max() < p.max()
    assert not Scaling((1.0, 2.0), (0.0, 0.0)).keeps_labels


@pytest.mark.parametrize("axes", [2, 3])
def test_scaled_weights_give_scaled_logits(axes):
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d if axes == 2 else torch.nn.Conv3d
    network = torch.nn.Sequential(convolution(1, 4, 3, padding=1), convolution(4, 3, 1))
    scaling = Scaling((2.0, 3.0, 0.5), (0.1, -0.2, 0.1))
    image = torch.randn(1, 1, *[6] * axes)
    before = network(image)[0]
    network.load_state_dict(scale_weights(network.state_dict(), scaling, "1"))
    assert torch.allclose(network(image)[0], scale_logits(before, scaling), atol=1e-6)


def test_a_layer_that_is_none():
    weights = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 1), torch.nn.Conv2d(4, 2, 1)).state_dict()
    with pytest.raises(InputError, match=r"no layer 'output' .*of those with 2 outputs: 1$"):
        scale_weights(weights, Scaling((1.0, 1.0), (0.0, 0.0)), "output")
    with pytest.raises(InputError, match="expected 2 outputs of layer '0', as calibrated, found 4"):
        scale_weights(weights, Scaling((1.0, 1.0), (0.0, 0.0)), "0")


def test_bad_input():
    with pytest.raises(InputError, match="Unknown --method 'temperatur'; did you mean 'temperature'"):
        fit_scaling(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), "temperatur")
    with pytest.raises(InputError, match="expected finite logits"):
        fit_scaling(torch.full((3, 2), torch.nan), torch.zeros(3, dtype=torch.long))
    with pytest.raises(InputError, match="expected 3 classes, as calibrated, found 2"):
        scale_probabilities(torch.ones(2, 4), Scaling((1.0,) * 3, (0.0,) * 3))
    with pytest.raises(InputError, match="a temperature per class scales logits"):
        scale_probabilities(torch.ones(2, 4), Scaling((1.0, 2.0), (0.0, 0.0)))


def test_a_lead_that_says_less_than_it_seems_is_taken_for_what_it_is():
    """Labels drawn at half the odds of small leads and the full odds of large ones: found, and no label changes."""
    random = torch.Generator().manual_seed(0)
    logits = torch.zeros(200_000, 3, dtype=torch.float64)
    logits[:, 0] = 6 * torch.rand(200_000, generator=random, dtype=torch.float64)
    logits[:, 2] = -20
    worth = torch.where(logits[:, 0] < 3, logits[:, 0] / 4, 0.75 + (logits[:, 0] - 3) * 1.5)
    labels = (torch.rand(200_000, generator=random, dtype=torch.float64) > worth.sigmoid()).long()
    found = fit_lead(logits, labels)
    assert list(found.values) == sorted(found.values)
    assert np.interp([1.5, 3, 5], found.leads, found.values) == pytest.approx([0.375, 0.75, 3.75], abs=0.15)
    p = logits[:1000].softmax(1).T
    scaled = found.scale_probabilities(p)
    assert torch.equal(scaled.argmax(0), p.argmax(0))
    assert torch.allclose(scaled.sum(0), torch.ones(1000, dtype=torch.float64))
    assert torch.allclose(scaled[0], worth[:1000].sigmoid(), atol=0.04)


def test_a_lead_needs_voxels_it_is_about():
    with pytest.raises(InputError, match="expected voxels whose true class is one of the two most probable ones"):
        fit_lead(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([2]))
