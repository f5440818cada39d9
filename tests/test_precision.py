"""Mixed precision: when it is chosen, that it is kept, and what it computes."""

from contextlib import nullcontext

import pytest
import torch
from regionwise import precision as module
from regionwise.errors import InputError
from regionwise.precision import Precision, PrecisionInferer, bfloat16_errors, bfloat16_gain, try_bfloat16
from torch import nn


@pytest.fixture
def trials(monkeypatch):
    """Let trials find a gain, and count them."""
    made = []

    def trial(spatial_dims):
        made.append(spatial_dims)
        return True, "2.00 times"

    monkeypatch.setattr(module, "try_bfloat16", trial)
    return made


def output_type(precision):
    network = nn.Conv2d(1, 2, 3)
    return PrecisionInferer(precision)(torch.ones(1, 1, 8, 8), network).dtype


@pytest.mark.parametrize(
    ("amp", "device", "engine", "cpu"),
    [
        (True, "cpu", False, True),
        ("true", "cpu", False, True),
        (False, "cpu", False, False),
        ("False", "cpu", False, False),
        ("auto", "cpu", False, None),
        (True, "cuda:0", True, False),
        ("auto", "cuda:0", True, False),
        (False, "cuda:0", False, False),
        ("bfloat16", "cpu", False, True),
        ("bfloat16", "cuda:0", False, True),
    ],
)
def test_float16_is_left_to_the_engine_and_bfloat16_is_not(amp, device, engine, cpu):
    precision = Precision(amp, device)
    assert precision.engine_amp is engine
    assert precision.uses_bfloat16 is cpu


@pytest.mark.parametrize(
    ("amp", "device", "expected"),
    [
        ("auto", "cuda:0", [("cuda", torch.float16)]),
        (True, "cuda", [("cuda", torch.float16)]),
        ("bfloat16", "cuda", [("cuda", torch.bfloat16)]),
        ("bfloat16", "cpu", [("cpu", torch.bfloat16)]),
        (False, "cuda", []),
    ],
)
def test_a_forward_pass_is_made_on_the_device_in_the_type_that_was_asked_for(monkeypatch, amp, device, expected):
    opened = []
    monkeypatch.setattr(torch, "autocast", lambda *arguments: opened.append(arguments) or nullcontext())
    with Precision(amp, device).context():
        pass
    assert opened == expected


def test_another_setting_is_refused():
    with pytest.raises(InputError, match=r"^expected --amp true, false, auto or bfloat16, found 'fast'$"):
        Precision("fast")


def test_the_trial_is_made_once_at_the_first_pass_and_told_in_one_line(trials, capsys):
    precision = Precision("auto", "cpu")
    assert trials == []
    assert [output_type(precision) for _ in range(3)] == [torch.bfloat16] * 3
    assert trials == [2]
    assert capsys.readouterr().out == "precision on the CPU: bfloat16 (2.00 times)\n"


@pytest.mark.parametrize("first", [True, False])
def test_a_resumed_run_takes_the_first_run_s_choice_without_a_trial(trials, first):
    precision = Precision("auto")
    precision.load_state_dict({"uses_bfloat16": first})
    assert output_type(precision) == (torch.bfloat16 if first else torch.float32)
    assert precision.state_dict() == {"uses_bfloat16": first}
    assert trials == []


def test_a_run_that_moved_from_a_gpu_to_a_cpu_makes_its_own_choice(trials):
    on_gpu, precision = Precision("auto", "cuda"), Precision("auto", "cpu")
    precision.load_state_dict(on_gpu.state_dict())
    output_type(precision)
    assert trials == [2]
    on_gpu.load_state_dict(precision.state_dict())
    assert on_gpu.uses_bfloat16 is False


@pytest.mark.parametrize(
    ("units", "error", "gain", "chosen", "reason"),
    [
        (False, 0.0, 9.0, False, "the CPU has neither AMX nor AVX512-BF16"),
        (True, 0.3, 9.0, False, "a convolution in bfloat16 is 30.0% from float32"),
        (True, float("nan"), 9.0, False, "a convolution in bfloat16 is nan% from float32"),
        (True, 0.003, 0.8, False, "0.80 times the speed of float32 in a trial, relative error 0.3%"),
        (True, 0.003, 1.5, True, "1.50 times the speed of float32 in a trial, relative error 0.3%"),
    ],
)
def test_bfloat16_is_taken_where_it_is_right_and_faster(monkeypatch, units, error, gain, chosen, reason):
    monkeypatch.setattr(module, "has_bfloat16_units", lambda: units)
    monkeypatch.setattr(module, "bfloat16_errors", lambda spatial_dims: [0.001, error] if error == error else [error])
    monkeypatch.setattr(module, "bfloat16_gain", lambda spatial_dims, seconds: gain)
    assert try_bfloat16(2) == (chosen, reason)


def test_a_trial_leaves_the_run_s_random_numbers_alone(monkeypatch):
    monkeypatch.setattr(module, "has_bfloat16_units", lambda: True)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    try_bfloat16(2, seconds=0)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_three_convolutions_with_their_gradients_agree_with_float32(spatial_dims):
    errors = bfloat16_errors(spatial_dims)
    assert len(errors) == 9
    # bfloat16 keeps 8 bits: results rounded once or twice are 0.1 to 1 % off, and never exact.
    assert all(1e-4 < error < module.LARGEST_ERROR for error in errors)


def test_a_wrong_convolution_is_seen(monkeypatch):
    honest = torch.nn.functional.conv_transpose2d

    def wrong(image, *arguments, **settings):
        result = honest(image, *arguments, **settings)
        return result * 1.1 if result.dtype == torch.bfloat16 else result

    monkeypatch.setattr(torch.nn.functional, "conv_transpose2d", wrong)
    assert max(bfloat16_errors(2)) > module.LARGEST_ERROR


def test_a_gain_is_a_ratio_of_times():
    assert 0 < bfloat16_gain(2, seconds=0) < 100


def test_a_trial_inside_inference_mode_works(monkeypatch):
    monkeypatch.setattr(module, "has_bfloat16_units", lambda: True)
    with torch.inference_mode():
        assert try_bfloat16(2, seconds=0)[1]
