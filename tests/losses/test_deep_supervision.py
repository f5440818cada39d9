import monai.losses
import pytest
import torch
from monai.networks.nets import DynUNet
from regionwise.errors import InputError
from regionwise.losses import LOSS_NAMES, DeepSupervisionLoss, make_loss
from regionwise.losses.deep_supervision import nearest

from .test_by_name import with_distance
from .test_region_wise import batch, same_value_and_gradient


def enlarge(level, factors):
    for axis, factor in enumerate(factors, start=2):
        level = level.repeat_interleave(factor, axis)
    return level


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_three_forms_of_logits(name):
    logits, labels = batch((2, 12, 8), 3)
    loss = make_loss(name)
    wrapped = DeepSupervisionLoss(loss)
    torch.testing.assert_close(wrapped(logits, labels), loss(logits, labels))
    stacked = torch.stack([logits, logits * 2], 1)
    expected = (2 * loss(logits, labels) + loss(logits * 2, labels)) / 3
    torch.testing.assert_close(wrapped(stacked, labels), expected)
    half = logits[..., ::2, ::2]
    expected = (2 * loss(logits, labels) + loss(half, labels[..., ::2, ::2])) / 3
    torch.testing.assert_close(wrapped([logits, half], labels), expected)


@pytest.mark.parametrize(("shape", "strides"), [((2, 12, 8), (2, 4)), ((1, 4, 12, 8), (1, 2, 4))])
@pytest.mark.parametrize("name", ["rrw", "boundary", "dice_ce", "rrw+dice:gradual"])
def test_stacked_levels_go_back_to_their_own_resolution(name, shape, strides):
    logits, labels = batch(shape, 3)
    index = (..., *(slice(None, None, stride) for stride in strides))
    low = logits.detach()[index].requires_grad_()
    loss = make_loss(name)
    stacked = torch.stack([logits, enlarge(low, strides)], 1)
    value = DeepSupervisionLoss(loss, level_strides=[None, strides])(stacked, labels)
    same_value_and_gradient(low, value, (2 * loss(logits, labels) + loss(low, labels[index])) / 3)


def test_a_dynunet_in_training_and_in_evaluation():
    torch.manual_seed(0)
    network = DynUNet(2, 1, 3, [3] * 4, [1, 2, 2, 2], [2] * 3, filters=[4] * 4, deep_supervision=True, deep_supr_num=2)
    _, labels = batch((2, 32, 16), 3)
    image = torch.randn(2, 1, 32, 16)
    loss = make_loss("rrw")
    wrapped = DeepSupervisionLoss(loss, level_strides=[None, 2, 4])
    stacked = network(image)
    assert stacked.shape == (2, 3, 3, 32, 16)
    own = [head[..., :: 2**level, :: 2**level] for level, head in enumerate(stacked.unbind(1))]
    assert torch.equal(enlarge(own[2], (4, 4)), stacked[:, 2])
    expected = sum(w / 7 * loss(y, labels[..., ::k, ::k]) for w, y, k in zip((4, 2, 1), own, (1, 2, 4), strict=True))
    torch.testing.assert_close(wrapped(stacked, labels), expected)
    wrapped(stacked, labels).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    network.eval()
    torch.testing.assert_close(wrapped(network(image), labels), loss(network(image), labels))


def test_distance_in_the_target_is_thinned_with_the_labels():
    logits, labels = batch((1, 8, 8), 3)
    target = torch.cat([labels.float(), torch.rand(1, 1, 8, 8)], 1)
    half = logits[..., ::2, ::2]
    value = DeepSupervisionLoss(make_loss("rrw"), weights=(0, 1))([logits, half], target)
    torch.testing.assert_close(value, make_loss("rrw")(half, target[..., ::2, ::2]))


def test_nearest_takes_the_voxel_at_the_same_place():
    target = torch.arange(12.0).view(1, 1, 12, 1)
    assert nearest(target, (4, 1)).flatten().tolist() == [0, 3, 6, 9]
    assert nearest(target, (5, 1)).flatten().tolist() == [0, 2, 4, 7, 9]
    labels = torch.randint(0, 9, (2, 2, 13, 9))
    expected = torch.nn.functional.interpolate(labels.float(), (6, 4), mode="nearest")
    assert torch.equal(nearest(labels, (6, 4)).float(), expected)


def test_levels_of_one_resolution_share_one_map(monkeypatch):
    loss = make_loss("rrw")
    calls = []
    prepare = loss.prepare
    monkeypatch.setattr(loss, "prepare", lambda *arguments: calls.append(1) or prepare(*arguments))
    logits, labels = batch((2, 8, 8), 3)
    DeepSupervisionLoss(loss)(torch.stack([logits] * 3, 1), labels)
    assert len(calls) == 1


def test_any_loss_of_logits_and_target_can_be_wrapped():
    logits, labels = batch((2, 8, 8), 3)
    wrapped = DeepSupervisionLoss(torch.nn.MSELoss(), weights=(3, 1))
    target = labels.expand(-1, 3, -1, -1).float()
    expected = (3 * (logits - target).square().mean() + (1 - target).square().mean()) / 4
    torch.testing.assert_close(wrapped([logits, torch.ones_like(logits)], target), expected)


@pytest.mark.parametrize(
    "loss",
    [
        monai.losses.DiceCELoss(to_onehot_y=True, softmax=True),
        monai.losses.FocalLoss(to_onehot_y=True, use_softmax=True),
        monai.losses.TverskyLoss(to_onehot_y=True, softmax=True),
    ],
    ids=lambda loss: type(loss).__name__,
)
@pytest.mark.parametrize("shape", [(2, 12, 8), (1, 8, 12, 8)])
def test_a_monai_loss_gets_the_labels_with_either_target(loss, shape):
    logits, labels = batch(shape, 3)
    stacked = torch.stack(
        [logits, enlarge(logits[(..., *[slice(None, None, 2)] * (len(shape) - 1))], [2] * (len(shape) - 1))], 1
    )
    wrapped = DeepSupervisionLoss(loss, level_strides=[None, 2])
    half = (..., *[slice(None, None, 2)] * (len(shape) - 1))
    expected = (2 * loss(logits, labels) + loss(logits[half], labels[half])) / 3
    same_value_and_gradient(logits, wrapped(stacked, with_distance(labels)), expected)
    assert torch.equal(wrapped(stacked, labels), wrapped(stacked, with_distance(labels)))


def test_invalid_arguments_raise():
    logits, labels = batch((2, 6, 6), 3)
    loss = make_loss("rrw")
    stacked = torch.stack([logits] * 3, 1)
    with pytest.raises(InputError, match=r"expected logits with 4 axes .* or 5 .* got shape \(2, 3, 3, 3, 6, 6\)"):
        DeepSupervisionLoss(loss)(torch.stack([stacked] * 3, 1), labels)
    with pytest.raises(InputError, match=r"expected logits of 2 levels, one for each weight, got 3"):
        DeepSupervisionLoss(loss, weights=(1, 1))(stacked, labels)
    with pytest.raises(InputError, match=r"expected logits of 2 levels \(level_strides\), got 3"):
        DeepSupervisionLoss(loss, level_strides=[1, 2])(stacked, labels)
    with pytest.raises(InputError, match=r"expected a level stride that divides the image size \(6, 6\), got \[4, 4\]"):
        DeepSupervisionLoss(loss, level_strides=[1, 2, 4])(stacked, labels)
    with pytest.raises(InputError, match=r"expected level_strides of positive integers or None, got 0"):
        DeepSupervisionLoss(loss, level_strides=[0])
    with pytest.raises(InputError, match=r"expected weights >= 0 with a positive sum"):
        DeepSupervisionLoss(loss, weights=(0, 0))
