"""Targets that look like labels and d̂ but are not are refused, before they train the inverse."""

import numpy as np
import pytest
import torch
from regionwise.errors import InputError
from regionwise.losses import LOSS_NAMES, DeepSupervisionLoss, make_loss

from .test_by_name import with_distance
from .test_region_wise import batch

ONE_HOT = r"found zeros and ones, as in a one-hot target.*target\.argmax\(1, keepdim=True\), in MONAI.*to_onehot_y"


def one_hot(labels, num_classes):
    return torch.cat([labels == c for c in range(num_classes)], 1)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.bool])
def test_one_hot_labels_of_two_classes_are_refused(name, dtype):
    logits, labels = batch((2, 8, 8), 2)
    with pytest.raises(InputError, match=ONE_HOT):
        make_loss(name)(logits, one_hot(labels, 2).to(dtype))


@pytest.mark.parametrize("value", [0, 1])
def test_one_hot_labels_with_one_class_only(value):
    logits, _ = batch((2, 8, 8), 2)
    labels = torch.full((2, 1, 8, 8), value)
    if value == 0:
        with pytest.raises(InputError, match=ONE_HOT):
            make_loss("rrw")(logits, one_hot(labels, 2).float())
    else:  # the very numbers of background alone and its d̂ of 1: the one batch that cannot be told
        target = one_hot(labels, 2).float()
        assert torch.equal(target, with_distance(torch.zeros_like(labels)))
        make_loss("rrw")(logits, target)


def test_overlapping_regions_are_refused():
    logits, labels = batch((2, 8, 8), 4)
    regions = torch.cat([labels > 0, labels > 1], 1).float()
    with pytest.raises(InputError, match="or of overlapping regions"):
        make_loss("rrw")(logits, regions)


def test_one_hot_labels_of_more_classes_name_the_way_out():
    logits, labels = batch((2, 8, 8), 3)
    with pytest.raises(InputError, match=r"got \(2, 3, 8, 8\); a one-hot target becomes labels by target.argmax"):
        make_loss("rrw")(logits, one_hot(labels, 3).float())


def test_what_augmentation_brings_in_from_outside_the_image_is_taken():
    logits, labels = batch((2, 8, 8), 2)
    target = with_distance(labels)
    target[:, :, :3] = 0  # background with d̂ 0
    assert make_loss("rrw")(logits, target).isfinite()
    thin = torch.zeros(2, 2, 8, 8)
    thin[:, :, 4] = 1  # d̂ 1 on a line one voxel thick, all else from outside
    assert make_loss("rrw")(logits, thin).isfinite()


@pytest.mark.parametrize("value", [-10.0, 40.0, float("nan"), 1.1])
@pytest.mark.parametrize("name", ["rrw", "boundary", "dice", "rrw:annealed+ce:equal"])
def test_distances_out_of_range_raise(name, value):
    logits, labels = batch((2, 8, 8), 3)
    target = with_distance(labels)
    target[0, 1, 2, 2] = value
    with pytest.raises(
        InputError, match=r"normalized distance d̂ in \[0, 1\], found values from .* to .* in its second"
    ):
        make_loss(name)(logits, target)


def test_rounding_is_no_reason_to_refuse():
    logits, labels = batch((2, 8, 8), 3)
    target = with_distance(labels)
    target[:, 1] *= 1.0001
    assert make_loss("rrw")(logits, target).isfinite()


def test_arrays_raise():
    logits, labels = batch((2, 8, 8), 3)
    with pytest.raises(InputError, match=r"expected target as a torch tensor, got numpy\.ndarray; torch\.as_tensor"):
        make_loss("rrw")(logits, labels.numpy())
    with pytest.raises(InputError, match=r"expected logits as a torch tensor, got numpy\.ndarray"):
        make_loss("dice")(logits.detach().numpy(), labels)
    with pytest.raises(InputError, match=r"expected target as a torch tensor, got list"):
        make_loss("rrw")(logits, np.asarray(labels).tolist())


def test_on_another_device_the_first_target_alone_is_checked(monkeypatch):
    from regionwise.losses import base

    seen = []
    split_target = base.split_target
    monkeypatch.setattr(base, "split_target", lambda t, c, check: seen.append(check) or split_target(t, c, check))
    logits, labels = batch((1, 8, 8), 3)
    loss = make_loss("ce")
    loss(logits, labels)
    loss(logits, labels)
    assert seen == [True, True]
    loss, seen[:] = make_loss("ce"), []
    monkeypatch.setattr(base, "check_target", lambda *_: None)
    monkeypatch.setattr(base, "as_label_tensor", lambda labels, _: labels.long())
    for _ in range(3):
        loss.split(logits.to("meta"), labels.to("meta"))
    assert seen == [True, False, False]


@pytest.mark.parametrize("strides", [None, [None, 2]])
def test_deep_supervision_refuses_them_too(strides):
    logits, labels = batch((2, 8, 8), 2)
    with pytest.raises(InputError, match=ONE_HOT):
        DeepSupervisionLoss(make_loss("rrw"), level_strides=strides)(
            torch.stack([logits, logits], 1), one_hot(labels, 2).float()
        )
