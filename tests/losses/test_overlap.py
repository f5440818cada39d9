"""Dice with Phi and epsilon, Dice semimetric and Jaccard metric losses: limits and gradients that one can check."""

import monai.losses
import pytest
import torch
from regionwise.errors import InputError
from regionwise.losses import (
    PRESETS,
    REDUCTIONS,
    CrossEntropyLoss,
    DiceLoss,
    DiceSemimetricLoss,
    JaccardMetricLoss,
    SummedLoss,
    make_loss,
)

from .test_region_wise import batch, same_value_and_gradient

SEMIMETRIC = [DiceSemimetricLoss, JaccardMetricLoss]
VERSIONS = [1, 2]


def soft_labels(shape, num_classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.softmax(2 * torch.randn(shape[0], num_classes, *shape[1:], generator=generator), 1)


def one_hot(labels, num_classes):
    return torch.cat([labels == c for c in range(num_classes)], 1).float()


def gradient_of_probabilities(loss, p, target):
    """Gradient of the loss where the logits are log p, mapped back: rows that the softmax leaves are differences."""
    logits = p.log().requires_grad_()
    return torch.autograd.grad(loss(logits, target), logits)[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", [(2, 12, 10), (2, 7, 8, 9)])
def test_dice_semimetric_is_dice_on_hard_labels(version, shape):
    logits, labels = batch(shape, 3)
    dice = monai.losses.DiceLoss(to_onehot_y=True, softmax=True, smooth_nr=0, smooth_dr=1e-6)
    same_value_and_gradient(logits, DiceSemimetricLoss(version)(logits, labels), dice(logits, labels))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", [(2, 12, 10), (2, 7, 8, 9)])
def test_jaccard_metric_is_jaccard_on_hard_labels(version, shape):
    logits, labels = batch(shape, 3)
    jaccard = monai.losses.DiceLoss(to_onehot_y=True, softmax=True, jaccard=True, smooth_nr=0, smooth_dr=1e-6)
    same_value_and_gradient(logits, JaccardMetricLoss(version)(logits, labels), jaccard(logits, labels))


@pytest.mark.parametrize("loss", SEMIMETRIC)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("target", ["hard", "soft"])
def test_equal_to_the_definition_in_double_precision(loss, version, target):
    logits, labels = batch((2, 6, 5), 3)
    logits = logits.detach().double().requires_grad_()
    t = one_hot(labels, 3) if target == "hard" else soft_labels((2, 6, 5), 3)
    p, t = torch.softmax(logits, 1).flatten(2), t.double().flatten(2)
    distance, overlap, total = (p - t).abs().sum(2), (p * t).sum(2), (p + t).sum(2)
    tp = (total - distance) / 2  # of version 1: (|p| + |t| - |p - t|) / 2
    expected = {
        (DiceSemimetricLoss, 1): 2 * tp / total,
        (DiceSemimetricLoss, 2): 2 * overlap / (2 * overlap + distance),
        (JaccardMetricLoss, 1): tp / (total - tp),
        (JaccardMetricLoss, 2): overlap / (overlap + distance),
    }[loss, version]
    made = loss(version, epsilon=1e-12, soft=target == "soft")
    value = made(logits, labels if target == "hard" else t.view_as(logits))
    torch.testing.assert_close(value, 1 - expected.mean(), atol=1e-10, rtol=0)
    expected_gradient = torch.autograd.grad(1 - expected.mean(), logits)[0]
    torch.testing.assert_close(torch.autograd.grad(value, logits)[0], expected_gradient, atol=1e-10, rtol=1e-7)


@pytest.mark.parametrize("loss", SEMIMETRIC)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_zero_with_zero_gradient_exactly_at_the_soft_label(loss, version, reduce):
    t = soft_labels((2, 8, 8), 3).double()
    made = loss(version, reduce, soft=True)
    at_truth = torch.softmax(t.log(), 1)  # the bits of the softmax, so that p - t is 0 and not its rounding
    assert made(t.log(), at_truth).item() == 0
    assert not gradient_of_probabilities(made, t, at_truth).any()
    for beside in (torch.softmax(t.log() + 1e-3 * torch.randn_like(t), 1), soft_labels((2, 8, 8), 3, seed=1).double()):
        assert made(beside.log(), t).item() > 0


@pytest.mark.parametrize("loss", SEMIMETRIC)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_slope_beside_the_soft_label_rises_on_both_sides(loss, version):
    t = torch.full((1, 2, 4, 4), 0.5)
    t[:, 0, :2], t[:, 1, :2] = 0.7, 0.3
    made = loss(version, soft=True)
    shifted = torch.tensor([1e-3, -1e-3]).view(1, 2, 1, 1)
    gradients = [gradient_of_probabilities(made, t + sign * shifted, t)[0, 0] for sign in (1, -1)]
    assert (gradients[0] > 0).all()  # too much of class 0: less of it
    assert (gradients[1] < 0).all()


def test_dice_of_monai_is_not_smallest_at_a_soft_label():
    x = torch.full((1, 1, 4, 4), 0.211)  # 1 - sum p t / sum p = 1 - 0.211
    assert monai.losses.DiceLoss(smooth_nr=0, smooth_dr=0)(x, x).item() == pytest.approx(0.789, abs=1e-6)
    pair = torch.cat([1 - x, x], 1)
    assert DiceSemimetricLoss(soft=True)(pair.log(), pair).item() == pytest.approx(0, abs=1e-6)
    assert DiceLoss(soft=True)(pair.log(), pair).item() == pytest.approx((0.211 + 0.789) / 2, abs=1e-6)


def test_reductions_by_hand():
    # p = 1/2 everywhere, two images of four voxels: class 1 has 1 and 0 voxels. P = 2 for every image and class.
    logits, labels = torch.zeros(2, 2, 2, 2), torch.zeros(2, 1, 2, 2)
    labels[0, 0, 0, 0] = 1
    dice = {
        "image": (2 * 1.5 / (2 + 3) + 2 * 0.5 / (2 + 1) + 2 * 2 / (2 + 4) + 0) / 4,
        "class": (2 * 2 / 8 + 2 * 2 / 8) / 2,
        "batch": (2 * 3.5 / (4 + 7) + 2 * 0.5 / (4 + 1)) / 2,
        "all": 2 * 4 / 16,
    }
    for reduce, value in dice.items():
        for loss in (DiceLoss(reduce), DiceSemimetricLoss(1, reduce), DiceSemimetricLoss(2, reduce)):
            assert loss(logits, labels).item() == pytest.approx(1 - value, abs=1e-6)
    present = DiceLoss(present_only=True)(logits, labels).item()
    assert present == pytest.approx(1 - (0.6 + 1 / 3 + 2 / 3) / 3, abs=1e-6)
    assert DiceLoss("batch", include_background=False)(logits, labels).item() == pytest.approx(0.8, abs=1e-6)
    assert DiceLoss("batch", epsilon=5.0)(logits, labels).item() == pytest.approx(1 - (12 / 16 + 6 / 10) / 2, abs=1e-6)


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("epsilon", [0.0, 3.0])
@pytest.mark.parametrize("soft", [False, True])
def test_dice_gradient_is_exact_in_double_precision(reduce, epsilon, soft):
    logits, labels = batch((2, 4, 3), 3)
    loss = DiceLoss(reduce, epsilon, soft=soft)
    target = soft_labels((2, 4, 3), 3).double() if soft else labels
    assert torch.autograd.gradcheck(lambda y: loss(y, target), logits.detach().double().requires_grad_())


@pytest.mark.parametrize("made", [DiceLoss, DiceSemimetricLoss, JaccardMetricLoss])
@pytest.mark.parametrize("soft", [False, True])
def test_a_class_that_is_not_annotated_gets_no_gradient_at_all(made, soft):
    # Class 2 is not annotated in image 0. Where class 1 is not either, no probability of image 0 may move.
    logits, labels = batch((2, 9, 9), 3)
    labels[0] = 0
    assert (labels[1] == 2).any()
    loss = made(**PRESETS["missing_labels"], soft=soft)
    gradient = torch.autograd.grad(loss(logits, one_hot(labels, 3) if soft else labels), logits)[0]
    assert (gradient[0] == 0).all()
    assert gradient[1].any()


@pytest.mark.parametrize("name", ["dice:missing_labels"])
def test_a_missing_class_keeps_its_odds_against_background(name):
    # Only class 1 is annotated: what it says about a voxel leaves p_2 / p_0 as it is, dp_2 / p_2 = dp_0 / p_0.
    logits, labels = batch((1, 9, 9), 3)
    labels[labels == 2] = 0
    loss = make_loss(name)
    gradient = torch.autograd.grad(loss(logits, labels), logits)[0]
    p = torch.softmax(logits.detach(), 1)
    assert gradient[:, 1].abs().min() > 0
    torch.testing.assert_close(gradient[:, 2] / p[:, 2], gradient[:, 0] / p[:, 0])
    full = torch.autograd.grad(make_loss("dice")(logits, labels), logits)[0]
    assert (full[:, 2] / p[:, 2] - full[:, 0] / p[:, 0]).abs().max() > 1e-4  # plain Dice teaches background


@pytest.mark.parametrize("epsilon", [0.0, 100.0])
def test_absence_is_learned_batch_wise_or_by_epsilon(epsilon):
    logits, labels = batch((2, 9, 9), 2)
    labels[0] = 0  # class 1 is absent from image 0, present in image 1

    def to_foreground(reduce, epsilon):  # positive: gradient descent lowers the logit of class 1 in image 0
        loss = DiceLoss(reduce, epsilon, include_background=False)
        return torch.autograd.grad(loss(logits, labels), logits)[0][0, 1]

    assert (to_foreground("batch", epsilon) > 0).all()
    assert (to_foreground("image", epsilon) > 0).all() == (epsilon > 0)
    assert not to_foreground("image", 0.0).any()
    labels[1] = 0  # absent from the whole batch: epsilon alone is left
    assert to_foreground("batch", epsilon).any() == (epsilon > 0)


def test_presets_have_names():
    logits, labels = batch((2, 9, 9), 3)
    for preset, settings in PRESETS.items():
        assert torch.equal(make_loss(f"dice:{preset}")(logits, labels), DiceLoss(**settings)(logits, labels))


@pytest.mark.parametrize("name", ["dml", "jml", "dml:version=2", "jml:version=2"])
@pytest.mark.parametrize("soft", [False, True])
def test_names_with_cross_entropy_have_the_published_weights(name, soft):
    logits, labels = batch((2, 9, 9), 3)
    target = soft_labels((2, 9, 9), 3) if soft else labels
    expected = 0.75 * make_loss(name, soft=soft)(logits, target) + 0.25 * CrossEntropyLoss(soft)(logits, target)
    same_value_and_gradient(logits, make_loss(f"{name}+ce", soft=soft)(logits, target), expected)


def test_semimetric_losses_are_partners_of_maps():
    logits, labels = batch((2, 9, 9), 3)
    for partner in ("dml", "jml"):
        value = make_loss(f"rrw:q=0.5+{partner}:equal")(logits, labels)
        expected = make_loss("rrw:q=0.5")(logits, labels) + make_loss(partner)(logits, labels)
        torch.testing.assert_close(value, expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DiceLoss("images"), "Unknown reduction 'images'; did you mean 'image'"),
        (lambda: DiceLoss(epsilon=-1.0), r"expected an epsilon >= 0 in voxels, found -1\.0"),
        (lambda: DiceSemimetricLoss(3), "expected version 1 or 2 of DiceSemimetricLoss, found 3"),
        (lambda: make_loss("dml+cee"), "Unknown loss|is not of the form"),
        (lambda: make_loss("dice:missing_label"), "Unknown loss 'dice:missing_label'; did you mean 'dice:missing_lab"),
        (lambda: make_loss("dml", class_weights=(1, 2)), "Loss 'dml' has no region-wise map"),
        (lambda: SummedLoss([DiceLoss()], [1.0, 2.0]), "expected one weight per loss, got 2 for 1"),
        (lambda: SummedLoss([DiceLoss(), DiceLoss(soft=True)], [1.0, 1.0]), "some with soft labels and some without"),
    ],
)
def test_bad_settings_are_said(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("soft", [False, True])
def test_a_second_derivative_is_refused(soft):
    logits, labels = batch((1, 4, 4), 2)
    target = soft_labels((1, 4, 4), 2) if soft else labels
    with pytest.raises(RuntimeError, match="an overlap loss can be differentiated once only"):
        torch.autograd.grad(DiceLoss(soft=soft)(logits, target), logits, create_graph=True)


@pytest.mark.slow
def test_a_large_volume_keeps_its_digits():
    # 20 million voxels are beyond 2^24, where adding 1 to a float32 changes nothing any more.
    logits = torch.zeros(1, 2, 20, 1000, 1000)
    logits[:, 0] = 40.0
    assert DiceLoss()(logits, torch.zeros(1, 1, 20, 1000, 1000)).item() == pytest.approx(0.5, abs=1e-6)
