import monai.losses
import published
import pytest
import torch
from regionwise.distance import normalized_distance
from regionwise.errors import InputError
from regionwise.losses import LOSS_NAMES, RegionWiseLoss, make_loss
from regionwise.maps import KINDS

from .test_region_wise import batch, same_value_and_gradient


def with_distance(labels):
    distance = torch.stack([normalized_distance(image[0]) for image in labels])[:, None]
    return torch.cat([labels.float(), distance], 1)


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("shape", [(2, 12, 10), (1, 6, 8, 9)])
def test_every_loss_takes_both_targets_and_gives_the_same_for_both(name, shape):
    logits, labels = batch(shape, 4)
    loss = make_loss(name)
    same_value_and_gradient(logits, loss(logits, labels), loss(logits, with_distance(labels)))


@pytest.mark.parametrize("name", LOSS_NAMES)
@pytest.mark.parametrize("value", [0, 3])
def test_empty_and_full_classes_are_finite_in_value_and_gradient(name, value):
    for scale in (1, 200):
        logits = (batch((2, 8, 8), 4)[0].detach() * scale).requires_grad_()
        loss = make_loss(name)(logits, torch.full((2, 1, 8, 8), value))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_half_precision_is_computed_with_in_float32(name):
    logits, labels = batch((2, 32, 32), 3)
    low = logits.detach().to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = make_loss(name)(low, labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, make_loss(name)(low.float(), labels))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("dice", published.published_dice),
        ("ce", published.published_cross_entropy),
        ("focal", published.published_focal),
        ("rrw", published.published_region_wise_loss),
        ("boundary", lambda y, t: published.published_region_wise_loss(y, t, published.published_boundary_map)),
        ("dice_ce", lambda y, t: published.published_dice(y, t) + published.published_cross_entropy(y, t)),
        ("rrw+dice:equal", lambda y, t: published.published_dice(y, t) + published.published_region_wise_loss(y, t)),
    ],
)
@pytest.mark.parametrize("shape", [(2, 12, 10), (2, 7, 8, 9)])
def test_parity_with_the_published_losses(name, reference, shape):
    logits, labels = batch(shape, 3)
    assert labels.unique().tolist() == [0, 1, 2]
    same_value_and_gradient(logits, make_loss(name)(logits, labels), reference(logits, labels))


def test_what_monai_has_is_the_same_up_to_the_factor_that_is_documented():
    logits, labels = batch((2, 12, 10), 3)
    dice_ce = monai.losses.DiceCELoss(to_onehot_y=True, softmax=True, smooth_nr=0, smooth_dr=1e-6)
    same_value_and_gradient(logits, make_loss("dice_ce")(logits, labels), dice_ce(logits, labels))
    focal = monai.losses.FocalLoss(to_onehot_y=True, use_softmax=True)
    same_value_and_gradient(logits, make_loss("focal")(logits, labels), 3 * focal(logits, labels))


def test_weighted_cross_entropy_by_hand():
    labels = torch.tensor([[[[0, 0, 1]]]])
    logits = torch.randn(1, 2, 1, 3, generator=torch.Generator().manual_seed(0))
    log_p = torch.log_softmax(logits, 1)[0, :, 0]
    expected = -(1.0 * log_p[0, 0] + 0.5 * log_p[0, 1] + 1.0 * log_p[1, 2]) / 3
    torch.testing.assert_close(make_loss("wce_rrw")(logits, labels), expected)
    emphasized = -(1.0 * log_p[0, 0] + 0.5 * log_p[0, 1] + 4.0 * log_p[1, 2]) / 3
    torch.testing.assert_close(make_loss("wce_rrw", class_weights=(1.0, 4.0))(logits, labels), emphasized)


def test_options_reach_the_map():
    logits, labels = batch((1, 9, 9), 3)
    options = {"spacing": (3.0, 1.0), "class_weights": (1.0, 2.0, 3.0)}
    for kind in KINDS:
        expected = RegionWiseLoss(kind, **options)(logits, labels)
        assert torch.equal(make_loss(kind, **options)(logits, labels), expected)
        combined = make_loss(f"{kind}+ce:equal", **options)(logits, labels)
        torch.testing.assert_close(combined, expected + make_loss("ce")(logits, labels))


def test_every_name_of_the_design_is_there():
    named = "rrw boundary active_contour cao hausdorff_one_sided dice dice_ce focal ce wce_rrw rrw:annealed rrw:q=0.5"
    assert set(named.split()) <= set(LOSS_NAMES)
    assert {"rrw+dice:equal", "boundary+ce:gradual"} <= set(LOSS_NAMES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "rrv",
            r"Unknown loss 'rrv'; did you mean 'rrw'\? choices: rrw, .*<map>\+<dice\|ce\|dml\|jml>:<equal",
        ),
        ("dise", r"Unknown loss 'dise'; did you mean 'dice'"),
        ("bondary+ce:equal", r"'bondary'\? did you mean 'boundary'"),
        ("rrw+dise:equal", r"Loss 'rrw\+dise:equal' is not of the form <map>\+.*'dise'\? did you mean 'dice'"),
        ("rrw+dice:gradul", r"did you mean 'gradual'\? choices: equal, gradual"),
        ("rrw+dice", r"is not of the form.*choices: equal, gradual"),
        ("", r"Unknown loss ''; choices"),
        (None, r"Unknown loss 'None'"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name, message):
    with pytest.raises(InputError, match=message):
        make_loss(name)


def test_class_weights_for_a_loss_without_a_map_are_refused():
    with pytest.raises(InputError, match="Loss 'dice' has no region-wise map"):
        make_loss("dice", class_weights=(1.0, 2.0))


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_labels_that_are_no_class_are_said(name):
    with pytest.raises(InputError, match="expected labels from 0 to 2, found 3"):
        make_loss(name)(torch.zeros(1, 3, 4, 4), torch.full((1, 1, 4, 4), 3))
