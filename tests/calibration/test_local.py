"""Local temperature scaling: features by hand, a temperature that is known, labels that stay."""

import pytest
import torch
from regionwise.calibration import LocalScaling, fit_local, local_features
from regionwise.errors import InputError


def test_features_by_hand():
    p = torch.full((2, 7, 7), 0.5)
    p[0] = 0.75  # a lead of ln 3 everywhere
    p[1] = 0.25
    p[0, 3, 3], p[1, 3, 3] = 0.25, 0.75
    constant, lead, near, near_alike, far, far_alike = local_features(p)
    assert (constant == 1).all()
    expected = torch.tensor(3.0).log().log1p().item()
    for one in (lead, near, far):
        assert one.flatten().tolist() == pytest.approx([expected] * 49, rel=1e-5)
    assert near_alike[3, 3] == pytest.approx(1 / 9)
    assert near_alike[3, 4] == pytest.approx(8 / 9)
    assert near_alike[0, 0] == 1
    assert far_alike[3, 3] == pytest.approx(1 / 49)
    assert far_alike[0, 0] == pytest.approx(15 / 16)  # 4 x 4 of the 7 x 7 lie in the image


def test_one_temperature_everywhere_is_found():
    random = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(3, 24, 24, 24, generator=random)
    labels = torch.distributions.Categorical(true.softmax(0).movedim(0, -1))
    torch.manual_seed(0)
    truth, p = labels.sample(), (3 * true).softmax(0)
    features = local_features(p)
    found = fit_local(p.clamp(min=1e-30).log().flatten(1).T, truth.flatten(), features.flatten(1).T)
    after = found.scale_probabilities(p)
    assert (after.argmax(0) == p.argmax(0)).all()
    chosen = truth[None]
    loss = [-one.clamp(min=1e-7).gather(0, chosen).log().mean().item() for one in (p, after, true.softmax(0))]
    assert loss[1] < loss[0] - 0.3
    assert loss[1] == pytest.approx(loss[2], abs=0.02)


def test_a_constant_alone_is_one_temperature():
    p = torch.tensor([0.9, 0.1]).reshape(2, 1, 1).expand(2, 4, 4).contiguous()
    found = LocalScaling((float(torch.tensor(2.0).log()), 0.0, 0.0, 0.0, 0.0, 0.0)).scale_probabilities(p)
    assert found[0, 0, 0] == pytest.approx(0.75)  # odds of 9 become odds of 3


def test_what_cannot_be_fitted():
    with pytest.raises(InputError, match="expected finite logits of at least one voxel"):
        fit_local(torch.empty(0, 2), torch.empty(0, dtype=torch.long), torch.empty(0, 6))
