import numpy as np
import published
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from regionwise.errors import InputError
from regionwise.losses import RegionWiseLoss
from regionwise.maps import KINDS, RECTIFIED_KINDS, region_wise_map

label_batches = hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), *[st.integers(1, 7)] * 3), elements=st.integers(0, 2))


def batch(shape, num_classes, seed=0):
    """Return logits and coarse labels (B, 1, *spatial)."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape[0], num_classes, *shape[1:], generator=generator)
    labels = torch.randint(0, num_classes, (shape[0], 1, *(-(-size // 3) for size in shape[1:])), generator=generator)
    for axis, size in enumerate(shape[1:], start=2):
        labels = labels.repeat_interleave(3, axis).narrow(axis, 0, size)
    return logits.requires_grad_(), labels.contiguous()


def full_form(logits, labels, kind, spacing=None, class_weights=None):
    """Return mean(softmax * map), the definition."""
    num_classes = logits.shape[1]
    maps = [region_wise_map(image[0], num_classes, kind, spacing, class_weights) for image in labels]
    return (torch.softmax(logits, 1) * torch.stack(maps)).mean()


def same_value_and_gradient(logits, one, other):
    torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (one, other)]
    torch.testing.assert_close(*gradients, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2, 12, 10), (2, 7, 8, 9)])
@pytest.mark.parametrize("class_weights", [None, (1.0, 0.5, 3.0, 2.0)])
def test_equals_the_mean_of_softmax_times_map(kind, shape, class_weights):
    logits, labels = batch(shape, 4)
    spacing = (2.0, 1.0, 0.5)[: len(shape) - 1]
    loss = RegionWiseLoss(kind, spacing=spacing, class_weights=class_weights)
    same_value_and_gradient(logits, loss(logits, labels), full_form(logits, labels, kind, spacing, class_weights))


@given(labels=label_batches)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_equals_the_published_loss(labels):
    labels = torch.from_numpy(labels)[:, None]
    labels[:, 0, 0, 0, 0] = 1  # a class that fills the image is not defined there
    labels[:, 0, -1, -1, -1] = 0
    logits = torch.randn(len(labels), 3, *labels.shape[2:], generator=torch.Generator().manual_seed(0)).requires_grad_()
    expected_map = published.published_region_wise_loss(logits, labels)
    if labels[0, 0].numel() > 1:
        same_value_and_gradient(logits, RegionWiseLoss()(logits, labels), expected_map)


def test_value_of_two_voxels_by_hand():
    labels = torch.tensor([[[[0, 1]]]])
    assert RegionWiseLoss()(torch.zeros(1, 2, 1, 2), labels).item() == 0  # p = 1/2: (1 - 1/2 * 2) / 2
    certain = torch.tensor([[[[50.0, -50.0]], [[-50.0, 50.0]]]])
    assert RegionWiseLoss()(certain, labels).item() == -0.5  # p = 1: (1 - 2) / 2
    assert RegionWiseLoss()(-certain, labels).item() == 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 4, 3), (1, 3, 3, 2)])
def test_gradient_is_exact_in_double_precision(kind, shape):
    logits, labels = batch(shape, 3)
    loss = RegionWiseLoss(kind, class_weights=(1.0, 2.0, 0.5))
    assert torch.autograd.gradcheck(lambda y: loss(y, labels), logits.double())


def test_a_second_derivative_is_refused():
    logits, labels = batch((1, 4, 4), 2)
    with pytest.raises(RuntimeError, match="differentiated once only; RegionWiseLoss"):
        torch.autograd.grad(RegionWiseLoss()(logits, labels), logits, create_graph=True)
    rw_map = torch.stack([region_wise_map(image[0], 2) for image in labels])
    loss = RegionWiseLoss(target="map")(logits, rw_map)
    (gradient,) = torch.autograd.grad(loss, logits, create_graph=True)
    assert torch.autograd.grad(gradient.square().sum(), logits)[0].any()


def test_backward_twice_through_one_graph_gives_the_same():
    logits, labels = batch((2, 6, 6), 3)
    loss = RegionWiseLoss()(logits, labels)
    first = torch.autograd.grad(loss, logits, retain_graph=True)[0].clone()
    assert torch.equal(first, torch.autograd.grad(loss, logits)[0])


def test_distance_in_the_target_is_used_by_rrw_and_ignored_by_others():
    logits, labels = batch((2, 9, 9), 3)
    distance = torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(1))
    target = torch.cat([labels.float(), distance], 1)
    own = torch.softmax(logits, 1).gather(1, labels)
    same_value_and_gradient(logits, RegionWiseLoss()(logits, target), (1 - own * (1 + distance)).mean() / 3)
    for kind in KINDS[1:]:
        loss = RegionWiseLoss(kind)
        assert torch.equal(loss(logits, target), loss(logits, labels))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [1, 2, 4])
def test_a_finished_map_is_named_as_such_whatever_its_number_of_channels(kind, num_classes):
    logits, labels = batch((2, 9, 8), num_classes)
    rw_map = torch.stack([region_wise_map(image[0], num_classes, kind) for image in labels])
    same_value_and_gradient(logits, RegionWiseLoss(target="map")(logits, rw_map), full_form(logits, labels, kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 2])
def test_one_label_everywhere_is_finite(kind, value):
    logits, _ = batch((2, 6, 6), 3)
    loss = RegionWiseLoss(kind)(logits, torch.full((2, 1, 6, 6), value))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("kind", RECTIFIED_KINDS)
def test_exactly_one_gradient_component_is_negative_for_a_rectified_map(kind):
    logits, labels = batch((3, 15, 15), 5)
    (gradient,) = torch.autograd.grad(RegionWiseLoss(kind, class_weights=range(1, 6))(logits, labels), logits)
    negative = gradient < 0
    assert (negative.sum(1) == 1).all()
    assert negative.gather(1, labels).all()


def test_boundary_with_four_classes_is_a_counter_example():
    labels = torch.tensor([[[[0, 1, 2, 2, 2, 2, 3]]]])
    logits = torch.zeros(1, 4, 1, 7, requires_grad=True)
    (gradient,) = torch.autograd.grad(RegionWiseLoss("boundary")(logits, labels), logits)
    # At voxel 0 the map is -1, 1, 2, 6: the logit of the wrong class 1 is raised too.
    assert (gradient[0, :, 0, 0] < 0).tolist() == [True, True, False, False]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["rrw", "boundary"])
def test_half_precision_logits_are_computed_with_in_float32(dtype, kind):
    logits, labels = batch((2, 64, 64), 3)
    low = logits.detach().to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = RegionWiseLoss(kind)(low, labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, RegionWiseLoss(kind)(low.detach().float(), labels))
    loss.backward()
    assert low.grad.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64, torch.float32, torch.bool])
def test_label_types(dtype):
    logits, labels = batch((2, 9, 9), 2)
    expected = RegionWiseLoss()(logits, labels)
    assert torch.equal(RegionWiseLoss()(logits, labels.to(dtype)), expected)
    transposed = labels.to(dtype).transpose(2, 3).contiguous().transpose(2, 3)
    assert torch.equal(RegionWiseLoss()(logits, transposed), expected)


def test_on_the_fly_distances_by_either_method_agree():
    logits, labels = batch((2, 16, 12), 3)
    for kind in KINDS:
        values = [RegionWiseLoss(kind, backend=backend)(logits, labels) for backend in ("edt", "torch")]
        torch.testing.assert_close(*values)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_the_gpu_gives_the_same(kind):
    logits, labels = batch((2, 16, 12), 3)
    loss = RegionWiseLoss(kind, class_weights=(1.0, 2.0, 3.0))
    expected = loss(logits, labels)
    torch.testing.assert_close(loss.cuda()(logits.cuda(), labels.cuda()).cpu(), expected)


@pytest.mark.parametrize(
    ("logits", "target", "message"),
    [
        ((2, 3, 5), (2, 1, 5), r"expected logits \(B, C, \*spatial\) with 2 or 3 spatial axes, got shape \(2, 3, 5\)"),
        ((2, 3, 5, 5), (2, 5, 5), r"expected a target of shape \(2, 1 or 2, 5, 5\) for logits.*got \(2, 5, 5\)"),
        ((2, 3, 5, 5), (2, 3, 5, 5), r"expected a target of shape \(2, 1 or 2, 5, 5\) for logits.*got \(2, 3, 5, 5\)"),
        ((2, 3, 5, 5), (1, 1, 5, 5), r"got \(1, 1, 5, 5\)"),
        ((2, 3, 5, 5), (2, 1, 5, 6), r"got \(2, 1, 5, 6\)"),
    ],
)
def test_shapes_that_do_not_fit_are_said(logits, target, message):
    with pytest.raises(InputError, match=message):
        RegionWiseLoss()(torch.zeros(logits), torch.zeros(target))


@pytest.mark.parametrize(
    ("value", "message"),
    [(3, "from 0 to 2, found 3"), (-1, "from 0 to 2, found -1"), (0.5, r"the fraction 0\.5"), (np.nan, "found nan")],
)
def test_labels_that_are_no_class_are_said(value, message):
    target = torch.zeros(1, 2, 4, 4)
    target[0, 0, 1, 1] = value
    with pytest.raises(InputError, match=message):
        RegionWiseLoss()(torch.zeros(1, 3, 4, 4), target)


def test_settings_that_cannot_be_used_are_said():
    with pytest.raises(InputError, match="Unknown region-wise map 'rwr'; did you mean 'rrw'"):
        RegionWiseLoss("rwr")
    with pytest.raises(InputError, match="Unknown target form 'maps'; did you mean 'map'"):
        RegionWiseLoss(target="maps")
    with pytest.raises(InputError, match="Unknown distance backend 'gpu'"):
        RegionWiseLoss(backend="gpu")
    with pytest.raises(InputError, match="a finished map holds them"):
        RegionWiseLoss(target="map", spacing=(1.0, 1.0))
    with pytest.raises(InputError, match="expected positive class weights"):
        RegionWiseLoss(class_weights=(1.0, -1.0))
    with pytest.raises(InputError, match="expected 3 positive class weights"):
        RegionWiseLoss(class_weights=(1.0, 1.0))(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(InputError, match="expected a spacing of 2 positive numbers"):
        RegionWiseLoss(spacing=(1.0, 1.0, 1.0))(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(InputError, match=r"expected a target of shape \(1, 3, 4, 4\)"):
        RegionWiseLoss(target="map")(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
