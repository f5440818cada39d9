"""Adaptive wing, margin and Lovász losses against their published formulas, voxel by voxel."""

import math

import pytest
import torch
from regionwise.errors import InputError
from regionwise.losses import (
    AdaptiveWingLoss,
    CrossEntropyLoss,
    JaccardMetricLoss,
    LovaszLoss,
    MarginCrossEntropyLoss,
)

from .test_overlap import soft_labels
from .test_region_wise import batch


def wing(t, p, omega=14.0, theta=0.5, epsilon=1.0, alpha=2.1):
    error, power = abs(t - p), alpha - t
    if error < theta:
        return omega * math.log(1 + (error / epsilon) ** power)
    slope = omega / (1 + (theta / epsilon) ** power) * power * (theta / epsilon) ** (power - 1) / epsilon
    return slope * error - (theta * slope - omega * math.log(1 + (theta / epsilon) ** power))


@pytest.mark.parametrize("epsilon", [1.0, 0.3])
def test_wing_is_the_mean_of_the_published_formula(epsilon):
    p = soft_labels((1, 4, 5), 2).double()
    t = soft_labels((1, 4, 5), 2, seed=1).double()
    t[0, :, 0] = torch.tensor([[0.0], [1.0]])
    pairs = zip(t.flatten().tolist(), p.flatten().tolist(), strict=True)
    expected = sum(wing(a, b, epsilon=epsilon) for a, b in pairs) / 40
    assert AdaptiveWingLoss(epsilon=epsilon, soft=True)(p.log(), t).item() == pytest.approx(expected, rel=1e-6)


def test_wing_is_zero_with_zero_gradient_at_the_label():
    t = soft_labels((1, 4, 5), 3).double()
    logits = t.log().requires_grad_()
    loss = AdaptiveWingLoss(soft=True)(logits, torch.softmax(t.log(), 1))
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, logits)[0].any()


def test_wing_weighs_the_dilated_structure():
    labels = torch.zeros(1, 1, 7, 7)
    labels[0, 0, 3, 3] = 1
    logits = torch.zeros(1, 2, 7, 7)
    near, far = wing(1, 0.5), wing(0, 0.5)
    plain = (near * 49 + far * 49) / 98  # of the background 48 voxels are its own and one is not, and so on
    assert AdaptiveWingLoss()(logits, labels).item() == pytest.approx(plain, rel=1e-5)
    # class 1: nine voxels count 11 times; the background, dilated, reaches everywhere
    weighted = 11 * (48 * near + far) + (11 * (near + 8 * far) + 40 * far)
    assert AdaptiveWingLoss(weight=10.0)(logits, labels).item() == pytest.approx(weighted / 98, rel=1e-5)


@pytest.mark.parametrize("soft", [False, True])
def test_margin_loss_is_cross_entropy_within_the_margin(soft):
    logits, labels = batch((2, 6, 6), 3)
    target = soft_labels((2, 6, 6), 3) if soft else labels
    loss = MarginCrossEntropyLoss(soft=soft)
    cross_entropy = CrossEntropyLoss(soft)
    assert loss(logits, target).item() == pytest.approx(cross_entropy(logits, target).item())
    wide = 30 * logits
    behind = wide.amax(1, keepdim=True) - wide - 10
    expected = cross_entropy(wide, target) + 0.1 * behind.clamp(min=0).mean()
    torch.testing.assert_close(loss(wide, target), expected)


def lovasz(truth, p):
    """Lovász extension by its definition: the errors in falling order, each new set of wrong voxels' 1 - Jaccard."""
    order = sorted(range(len(p)), key=lambda i: -abs(truth[i] - p[i]))
    total, before, volume = 0.0, 0.0, sum(truth)
    for k in range(1, len(p) + 1):
        wrong = order[:k]
        missed, added = sum(truth[i] for i in wrong), sum(1 - truth[i] for i in wrong)
        now = 1 - (volume - missed) / (volume + added)
        total, before = total + abs(truth[wrong[-1]] - p[wrong[-1]]) * (now - before), now
    return total


def test_lovasz_is_its_definition():
    logits, labels = batch((2, 4, 5), 3)[0], (torch.arange(40) % 3).view(2, 1, 4, 5)
    labels[1][labels[1] == 2] = 0  # class 2 is absent from image 1
    p = torch.softmax(logits, 1)
    values = [
        lovasz((labels[b, 0] == c).flatten().int().tolist(), p[b, c].flatten().tolist())
        for b, c in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1))
    ]
    assert LovaszLoss()(logits, labels).item() == pytest.approx(sum(values) / 5, rel=1e-5)


def test_lovasz_of_a_sure_prediction_is_one_minus_jaccard():
    logits, labels = batch((2, 6, 6), 3)
    sure = torch.nn.functional.one_hot(logits.argmax(1), 3).movedim(-1, 1) * 60.0
    torch.testing.assert_close(LovaszLoss()(sure, labels), JaccardMetricLoss(present_only=True)(sure, labels))


def test_lovasz_of_soft_labels_is_zero_at_the_label():
    t = soft_labels((1, 4, 5), 3).double()
    assert LovaszLoss(soft=True)(t.log(), t).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AdaptiveWingLoss(alpha=2.0), "expected alpha > 2, omega, theta and epsilon > 0"),
        (lambda: MarginCrossEntropyLoss(margin=-1), "expected margin and weight >= 0, found -1"),
    ],
)
def test_bad_settings_are_said(make, message):
    with pytest.raises(InputError, match=message):
        make()
