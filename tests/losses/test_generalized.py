import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Engine
from regionwise.errors import InputError
from regionwise.losses import ANNEALING, DeepSupervisionLoss, GeneralizedRectifiedLoss, LossSchedule, RegionWiseLoss
from regionwise.losses import make_loss as named
from regionwise.maps import RECTIFIED_KINDS, true_class_magnitude

from .test_region_wise import batch, same_value_and_gradient

exponents = st.floats(1e-3, 1.0)
gradient_of = torch.autograd.grad


def weights_of(labels, num_classes, kind, class_weights):
    """Return w = (1 + m) c, float64."""
    magnitude = true_class_magnitude(labels[:, 0], num_classes, kind, (1.0,) * (labels.ndim - 2))
    return (1 + magnitude.double()) * torch.tensor(class_weights).double()[labels[:, 0]]


def formula(logits, labels, weights, q):
    """Return the definition."""
    p = torch.softmax(logits, 1).gather(1, labels)[:, 0]
    return (weights * (1 - p**q) / q).mean() / logits.shape[1]


@given(q=exponents, scale=st.sampled_from([0.1, 1.0, 5.0]), seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=60)
@pytest.mark.parametrize("kind", RECTIFIED_KINDS)
def test_equals_its_formula_in_value_and_gradient(kind, q, scale, seed):
    logits, labels = batch((2, 7, 6), 3, seed)
    logits = (logits.detach().double() * scale).requires_grad_()
    class_weights = (1.0, 0.5, 3.0)
    loss = GeneralizedRectifiedLoss(q, kind, class_weights=class_weights)(logits, labels)
    expected = formula(logits, labels, weights_of(labels, 3, kind, class_weights), q)
    torch.testing.assert_close(loss, expected, atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(gradient_of(loss, logits), gradient_of(expected, logits), atol=1e-14, rtol=1e-7)


@pytest.mark.parametrize("q", [0.05, 0.3, 0.7])
def test_float32_is_as_exact_as_it_can_be(q):
    logits, labels = batch((2, 30, 30), 4)
    exact = (logits.detach().double() * 8).requires_grad_()
    single = exact.detach().float().requires_grad_()
    loss = GeneralizedRectifiedLoss(q)
    values = loss(single, labels), loss(exact, labels)
    torch.testing.assert_close(values[0].double(), values[1], atol=0, rtol=1e-6)
    gradients = [gradient_of(value, y)[0].double() for value, y in zip(values, (single, exact), strict=True)]
    torch.testing.assert_close(*gradients, atol=1e-9, rtol=1e-4)


def test_value_of_two_voxels_by_hand():
    labels = torch.tensor([[[[0, 1]]]])  # d̂ = 1, so w = 2
    loss = GeneralizedRectifiedLoss(0.5)
    # p = 1/4 at both voxels: 2 (1 - 1/2) / 0.5, over two classes
    logits = torch.tensor([[[[0.0, 2.0]], [[2.0, 0.0]]]]).log1p()
    assert loss(logits, labels).item() == pytest.approx(1.0)
    certain = torch.tensor([[[[50.0, -50.0]], [[-50.0, 50.0]]]])
    assert loss(certain, labels).item() == 0
    assert loss(-certain, labels).item() == pytest.approx(2.0)


@pytest.mark.parametrize("kind", RECTIFIED_KINDS)
@pytest.mark.parametrize("class_weights", [None, (1.0, 0.5, 3.0)])
def test_q_of_one_is_the_region_wise_loss_and_a_constant(kind, class_weights):
    logits, labels = batch((2, 9, 9), 3)
    general = GeneralizedRectifiedLoss(1, kind, class_weights=class_weights)(logits, labels)
    paper = RegionWiseLoss(kind, class_weights=class_weights)(logits, labels)
    weights = weights_of(labels, 3, kind, class_weights or (1.0, 1.0, 1.0))
    voxel_weights = torch.tensor(class_weights or (1.0, 1.0, 1.0))[labels[:, 0]]
    torch.testing.assert_close(general - paper, (weights - voxel_weights).float().mean() / 3)
    assert torch.equal(gradient_of(general, logits)[0], gradient_of(paper, logits)[0])


def test_q_near_one_is_near_that():
    logits, labels = batch((2, 9, 9), 3)
    same_value_and_gradient(
        logits, *(GeneralizedRectifiedLoss(q, class_weights=(1, 2, 3))(logits, labels) for q in (1, 1 - 1e-7))
    )


@pytest.mark.parametrize("kind", RECTIFIED_KINDS)
def test_q_to_zero_is_cross_entropy_weighted_with_the_map(kind):
    logits, labels = batch((2, 9, 9), 3)
    weights = weights_of(labels, 3, kind, (1.0, 1.0, 1.0)).float()
    expected = (weights * torch.nn.functional.cross_entropy(logits, labels[:, 0], reduction="none")).mean() / 3
    same_value_and_gradient(logits, GeneralizedRectifiedLoss(1e-7, kind)(logits, labels), expected)


@given(q=exponents, scale=st.sampled_from([0.1, 1.0, 3.0]), seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=60)
@pytest.mark.parametrize("kind", RECTIFIED_KINDS)
def test_exactly_one_gradient_component_is_negative_for_every_q(kind, q, scale, seed):
    logits, labels = batch((2, 7, 6), 5, seed)
    logits = (logits.detach().double() * scale).requires_grad_()  # p rounds to 1 nowhere
    (gradient,) = gradient_of(GeneralizedRectifiedLoss(q, kind, class_weights=range(1, 6))(logits, labels), logits)
    negative = gradient < 0
    assert (negative.sum(1) == 1).all()
    assert negative.gather(1, labels).all()


def test_a_voxel_that_is_sure_and_wrong_keeps_a_gradient():
    labels = torch.tensor([[[[0, 1]]]])
    wrong = torch.tensor([[[[-4.0, 4.0]], [[4.0, -4.0]]]], requires_grad=True)  # p = 3.4e-4
    size = {q: gradient_of(GeneralizedRectifiedLoss(q)(wrong, labels), wrong)[0].abs().max() for q in (0.3, 0.7, 1)}
    assert size[0.3] > 20 * size[0.7] > 200 * size[1]
    assert size[0.3] / size[1] == pytest.approx(3.354e-4 ** (0.3 - 1), rel=1e-3)


@pytest.mark.parametrize("q", [1e-3, 0.3, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_probabilities_that_underflow_are_finite_in_value_and_gradient(q, dtype):
    labels = torch.tensor([[[[0, 1]]]])
    logits = torch.tensor([[[[-300.0, 300.0]], [[300.0, -300.0]]]], dtype=dtype).requires_grad_()
    loss = GeneralizedRectifiedLoss(q)(logits, labels)
    (gradient,) = gradient_of(loss, logits)
    assert loss.dtype == torch.float32 and loss.isfinite() and gradient.isfinite().all()
    assert gradient.dtype == dtype
    if q == 1e-3:  # p is 0 in float32, p^q is 0.55
        assert loss.item() == pytest.approx((1 - torch.tensor(-0.6).exp().item()) / 1e-3)
        assert gradient.abs().max().item() == pytest.approx(0.5488 / 2, rel=0.01)


def test_a_second_derivative_is_refused():
    logits, labels = batch((1, 4, 4), 2)
    with pytest.raises(RuntimeError, match="differentiated once only; RegionWiseLoss"):
        gradient_of(GeneralizedRectifiedLoss(0.5)(logits, labels), logits, create_graph=True)


def test_backward_twice_through_one_graph_gives_the_same():
    logits, labels = batch((2, 6, 6), 3)
    loss = GeneralizedRectifiedLoss(0.5)(logits, labels)
    first = gradient_of(loss, logits, retain_graph=True)[0].clone()
    assert torch.equal(first, gradient_of(loss, logits)[0])


def test_q_rises_linearly_with_the_fraction_of_the_run():
    loss = named("rrw:annealed=0.2-0.6")
    assert loss.q == 0.2
    loss.fraction = 0.25
    assert loss.q == pytest.approx(0.3)
    loss.fraction = 1
    assert loss.q == pytest.approx(0.6)
    logits, labels = batch((2, 9, 9), 3)
    assert torch.equal(loss(logits, labels), GeneralizedRectifiedLoss(loss.q)(logits, labels))
    assert (named("rrw:annealed").first, named("rrw:annealed").last) == ANNEALING


def run(loss, epochs, stop=None, state=None):
    """Train in epochs of 4 iterations; return the q of each iteration and the trainer's state at the end."""
    seen, inner = [], loss.loss
    trainer = Engine(lambda engine, _: seen.append(inner.q))
    LossSchedule(loss).attach(trainer)
    if stop:
        trainer.add_event_handler("EPOCH_COMPLETED", lambda e: e.terminate() if e.state.epoch == stop else None)
    if state is not None:
        trainer.load_state_dict(state)
    trainer.run([0, 1, 2, 3], max_epochs=epochs)
    return seen, trainer.state_dict()


def test_the_trainers_iteration_drives_q_and_survives_a_resume_to_the_last_bit():
    whole, _ = run(DeepSupervisionLoss(named("rrw:annealed")), 3)
    assert whole == pytest.approx([0.3 + 0.4 * i / 12 for i in range(12)])
    first, state = run(DeepSupervisionLoss(named("rrw:annealed")), 3, stop=1)
    rest, _ = run(DeepSupervisionLoss(named("rrw:annealed")), 3, state=state)
    assert first + rest == whole


def test_a_fixed_q_stays():
    seen, _ = run(DeepSupervisionLoss(named("rrw:q=0.5")), 2)
    assert set(seen) == {0.5}


def test_a_combination_takes_it_as_its_region_wise_part():
    logits, labels = batch((2, 9, 9), 3)
    loss = named("cao:annealed+ce:equal", class_weights=(1, 2, 3))
    loss.region_wise.fraction = 0.5
    expected = GeneralizedRectifiedLoss(0.5, "cao", class_weights=(1, 2, 3))(logits, labels)
    torch.testing.assert_close(loss(logits, labels), expected + named("ce")(logits, labels))
    wrapped = DeepSupervisionLoss(named("rrw:annealed=0.2-1+dice:gradual"))
    trainer = Engine(lambda engine, _: None)
    LossSchedule(wrapped).attach(trainer)
    trainer.run([0, 1], max_epochs=2)
    assert (wrapped.loss.epoch, wrapped.loss.region_wise.fraction) == (1, 0.75)


def test_it_has_no_state_of_its_own():
    assert not named("rrw:annealed", class_weights=(1.0, 2.0)).state_dict()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_gives_the_same():
    logits, labels = batch((2, 16, 12), 3)
    loss = GeneralizedRectifiedLoss(0.4, class_weights=(1.0, 2.0, 3.0))
    expected = loss(logits, labels)
    torch.testing.assert_close(loss.cuda()(logits.cuda(), labels.cuda()).cpu(), expected)


@pytest.mark.parametrize("q", [0, -0.1, 1.5, float("nan"), (0.3, 2)])
def test_exponents_out_of_range_raise(q):
    with pytest.raises(InputError, match=r"expected 0 < q <= 1, found q="):
        GeneralizedRectifiedLoss(q)


def test_invalid_arguments_raise():
    with pytest.raises(InputError, match=r"expected one exponent q or two \(first and last\), got \[0.1, 0.2, 0.3\]"):
        GeneralizedRectifiedLoss((0.1, 0.2, 0.3))
    with pytest.raises(InputError, match="map 'boundary' is not rectified, so it has no generalized form; choose one"):
        GeneralizedRectifiedLoss(0.5, "boundary")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rrw:q=2", r"Loss 'rrw:q=2': expected 0 < q <= 1, found q=2\.0; q=1 is the region-wise loss itself"),
        ("rrw:q=0", r"Loss 'rrw:q=0': expected 0 < q <= 1, .*a small q such as 0\.05 is close to weighted"),
        ("rrw:q=", r"Loss 'rrw:q=': expected a number, as in q=0\.5, found 'q='"),
        ("rrw:q", r"expected a number, as in q=0\.5, found 'q'"),
        ("rrw:q=nan", r"expected 0 < q <= 1, found q=nan"),
        ("rrw:annealed=0.3", r"expected two numbers, as in annealed=0\.3-0\.7, found 'annealed=0\.3'"),
        ("rrw:annealed=0.3-2", r"found q=2\.0"),
        ("rrw:anneled", r"Unknown loss 'rrw:anneled'; did you mean 'rrw:annealed'\? choices"),
        ("rww:annealed", r"Unknown loss 'rww:annealed'; did you mean 'rrw:annealed'"),
        ("rrw:anneled+ce:equal", r"Unknown loss 'rrw:anneled\+ce:equal'; did you mean 'rrw:annealed'"),
        ("boundary:annealed", r"Loss 'boundary:annealed': map 'boundary' is not rectified.*choose one of rrw, "),
    ],
)
def test_a_wrong_name_gets_one_clear_line(name, message):
    with pytest.raises(InputError, match=message) as error:
        named(name)
    assert "\n" not in str(error.value)
