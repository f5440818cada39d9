"""Soft labels: every loss takes them in the same way, and hard ones are their special case."""

import pytest
import torch
from regionwise.distance import normalized_distance
from regionwise.errors import InputError
from regionwise.losses import LOSS_NAMES, DeepSupervisionLoss, RegionWiseLoss, make_loss
from regionwise.maps import SIGNED_POWERS, region_wise_map

from .test_overlap import one_hot, soft_labels
from .test_region_wise import batch, same_value_and_gradient

# Losses that are linear in the labels once the distances are given.
EXPECTED = ["ce", "focal", "wce_rrw", "rrw", "rrw:annealed", "active_contour", "cao", "cao:q=0.5", *SIGNED_POWERS]


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("shape", [(2, 12, 10), (1, 6, 8, 9)])
def test_hard_labels_are_soft_ones_of_zero_and_one(name, shape):
    logits, labels = batch(shape, 4)
    same_value_and_gradient(
        logits, make_loss(name)(logits, labels), make_loss(name, soft=True)(logits, one_hot(labels, 4))
    )


@pytest.mark.parametrize("name", ["rrw", "rrw:annealed", "wce_rrw"])
def test_class_weights_of_hard_labels_are_those_of_soft_ones(name):
    logits, labels = batch((2, 12, 10), 4)
    weights = (1.0, 0.5, 3.0, 2.0)
    hard, soft = (make_loss(name, class_weights=weights, soft=soft) for soft in (False, True))
    same_value_and_gradient(logits, hard(logits, labels), soft(logits, one_hot(labels, 4)))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_region_wise_loss_of_soft_labels_is_the_expected_loss(name):
    # The class of one voxel is drawn: 0.6 class 1, 0.4 class 2, and the distances are those of class 1.
    logits, labels = batch((1, 9, 9), 3)
    labels[0, 0, 4, 4] = 1
    other = labels.clone()
    other[0, 0, 4, 4] = 2
    soft = 0.6 * one_hot(labels, 3) + 0.4 * one_hot(other, 3)
    weights = None if name in ("ce", "focal") else (1.0, 2.0, 3.0)
    value = make_loss(name, class_weights=weights, soft=True)(logits, soft)
    if name in ("ce", "focal"):
        drawn = [make_loss(name)(logits, y) for y in (labels, other)]
    elif name in SIGNED_POWERS:
        distance = region_wise_map(labels[0, 0], 3, name).abs()
        signed = [distance * (1 - 2 * one_hot(y, 3)) * torch.tensor(weights)[y] for y in (labels, other)]
        drawn = [RegionWiseLoss(target="map")(logits, z) for z in signed]
    else:
        distance = normalized_distance(labels[0, 0])[None, None]  # used by rrw; the others have constant magnitudes
        loss = make_loss(name, class_weights=weights)
        drawn = [loss(logits, torch.cat([y.float(), distance], 1)) for y in (labels, other)]
    same_value_and_gradient(logits, value, 0.6 * drawn[0] + 0.4 * drawn[1])


@pytest.mark.parametrize("name", ["rrw", "rrw:annealed", "wce_rrw", "dml+ce"])
def test_distance_may_come_with_soft_labels(name):
    logits, _ = batch((2, 9, 9), 3)
    soft = soft_labels((2, 9, 9), 3)
    distance = torch.stack([normalized_distance(image) for image in soft.argmax(1)])[:, None]
    loss = make_loss(name, soft=True)
    same_value_and_gradient(logits, loss(logits, soft), loss(logits, torch.cat([soft, distance], 1)))
    other = loss(logits, torch.cat([soft, distance / 2], 1))
    assert torch.equal(other, loss(logits, soft)) == (name == "dml+ce")


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_gradients_of_soft_labels_are_exact_in_double_precision(name):
    logits, _ = batch((1, 4, 3), 3)
    loss, soft = make_loss(name, soft=True), soft_labels((1, 4, 3), 3).double()
    assert torch.autograd.gradcheck(lambda y: loss(y, soft), logits.detach().double().requires_grad_())


@pytest.mark.parametrize("name", ["rrw", "dml+ce", "boundary+ce:equal"])
def test_deep_supervision_thins_soft_labels(name):
    logits, _ = batch((2, 12, 8), 3)
    soft, loss = soft_labels((2, 12, 8), 3), make_loss(name, soft=True)
    half = logits[..., ::2, ::2]
    expected = (2 * loss(logits, soft) + loss(half, soft[..., ::2, ::2])) / 3
    torch.testing.assert_close(DeepSupervisionLoss(loss)([logits, half], soft), expected)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t * 1.5, "values in .0, 1. at each voxel, found .* to 1.5"),
        (lambda t: t * 0.5, "sums of 1 at each voxel, found 0.5 to 0.5; the background is 1 minus the sum"),
        (lambda t: t * float("nan"), "found nan to nan"),
        (lambda t: t[:, :2], r"expected a target of shape \(2, 3 or 4, 8, 8\).*got \(2, 2, 8, 8\)"),
    ],
)
def test_what_is_no_probability_is_refused(name, change, message):
    logits, labels = batch((2, 8, 8), 3)
    with pytest.raises(InputError, match=message):
        make_loss(name, soft=True)(logits, change(one_hot(labels, 3)))


def test_a_hard_loss_names_the_way_to_soft_labels():
    logits, _ = batch((2, 8, 8), 3)
    with pytest.raises(InputError, match="probabilities need a loss made with soft=True"):
        make_loss("dml")(logits, soft_labels((2, 8, 8), 3))
    with pytest.raises(InputError, match="no soft labels with target 'map'"):
        RegionWiseLoss(target="map", soft=True)
