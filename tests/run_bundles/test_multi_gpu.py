"""Two processes (Gloo on CPUs, started by torchrun) train and evaluate as one."""

import json

import numpy as np
import pytest
import torch
from regionwise.data import StreamSampler
from regionwise.nifti import read_labels
from regionwise.weights import inference_weights, load_checkpoint

from .running import (
    BUNDLES,
    Run,
    arguments,
    config,
    evaluate_here,
    evaluation_overrides,
    run_here,
    run_process,
    training,
)

SETTINGS = {"epochs": 2, "iterations_per_epoch": 3, "batch_size": 4, "ema_decay": 0.9}


def run_in_two_processes(*given):
    return run_process(*given, launcher=("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"))


def figures(out):
    """Return loss and Dice of each epoch."""
    return [
        (float(line.split("loss ")[1].split()[0]), float(line.split("Dice ")[1].split()[0]))
        for line in out.splitlines()
        if line.startswith("epoch ")
    ]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_without_torchrun_it_says_how_to_start(phantoms, tmp_path, bundle):
    for run_id, name, settings in (
        ("training", "train", training(bundle)),
        ("evaluating", "evaluate", evaluation_overrides(bundle)),
    ):
        settings.pop("device")
        given = {**settings, "dataset_dir": phantoms[bundle], "output_dir": tmp_path}
        result = run_here(*arguments(run_id, config(bundle, name), config(bundle, "multi_gpu_train"), **given))
        assert result.error.startswith(
            "multi_gpu_train.json needs torchrun: torchrun --nproc_per_node N -m monai.bundle run"
        )
    assert list(tmp_path.iterdir()) == []


def in_float64(folder):
    """Write an overlay that trains in float64, where two orders of summation give the same training.

    In float32 they do not: the batch of a process is half as large, so that the kernels sum in another order, and two
    things make rounding large. A leaky ReLU's input within rounding of zero changes its sign, and with it the slope
    from 0.01 to 1: one such voxel of half a million changes the gradient by 1e-3 of its norm. And Adam divides by the
    gradient's own size, so that a weight whose gradient is rounding only still moves by the learning rate. Whether six
    iterations meet either depends on the CPU.
    """
    path = folder / "float64.json"
    as_float64 = {"dtype": "$torch.float64"}
    overlay = {
        "network#network": "$@network_def.to(@device).double()",
        "train#trainer#to_kwargs": as_float64,
        "validate#evaluator#to_kwargs": as_float64,
    }
    path.write_text(json.dumps(overlay))
    return path


def averages(state):
    """Yield name and value of the averaged weights of a last checkpoint."""
    for name, value in state["averaged"].items():
        if name != "n_averaged":
            yield name, value


def largest_difference(folder, other):
    """Return the largest difference of a weight between the last checkpoints of two runs."""
    states = [load_checkpoint(path / "last.pt") for path in (folder, other)]
    # The trained weights and their running average.
    first, second = (
        inference_weights({**state["network"], **{f"mean {name}": value for name, value in averages(state)}})
        for state in states
    )
    assert first.keys() == second.keys()
    assert {weight.dtype for weight in (*first.values(), *second.values())} == {torch.float64}
    return max((first[name] - second[name]).abs().max().item() for name in first)


# A gradient is a sum of at most 1e5 terms (4 x 48 x 48 voxels, more than one channel) and at most 0.1 here: rounding
# changes it by 1e5 * 2.2e-16 * 0.1 = 2e-12 at the very most. A step of Adam moves a weight by the learning rate 1e-4
# times a quotient whose denominator is at least 1e-8: six steps add up to 6 * 1e-4 * 2e-12 / 1e-8 = 1e-7. Another
# sample moves weights by a share of the learning rate.
ROUNDING = 1e-7


@pytest.fixture(scope="module")
def alone(trained, tmp_path_factory):
    """Return the training of one process in float64, and the folder of its overlay."""
    run = trained("acdc")
    folder = tmp_path_factory.mktemp("alone")
    overrides = training("acdc", dataset_dir=run.data, output_dir=folder / "one", cache_dir=run.cache, **SETTINGS)
    result = run_here(*arguments("training", config("acdc", "train"), in_float64(folder), **overrides))
    assert result.status == 0, result.err
    return Run("acdc", run.data, folder / "one", run.cache, result, overrides)


def test_two_processes_train_as_one(alone, tmp_path):
    settings = {**alone.settings, "output_dir": tmp_path / "two", "cache_dir": tmp_path / "cache"}
    settings.pop("device")
    files = config("acdc", "train"), config("acdc", "multi_gpu_train"), in_float64(tmp_path)
    result = run_in_two_processes(*arguments("training", *files, **settings))
    assert result.status == 0, result.err
    # One process speaks, and what it says are the figures of both.
    assert len(figures(result.out)) == 2
    assert figures(result.out) == figures(alone.result.out)
    best = [load_checkpoint(folder / "last.pt")["best_metric"] for folder in (alone.folder, tmp_path / "two")]
    assert best[1] == pytest.approx(best[0], rel=1e-6)  # a mean of float32 Dice
    assert largest_difference(alone.folder, tmp_path / "two") < ROUNDING
    assert len([path for path in (tmp_path / "cache").iterdir()]) == 8  # each case is preprocessed once


@pytest.mark.parametrize(
    ("batch_size", "samples"),
    [
        pytest.param(4, [*range(23), 99], id="another last sample of 24"),
        pytest.param(2, [*range(0, 24, 2)], id="the share of one process, gradients not averaged"),
    ],
)
def test_other_samples_or_gradients_would_be_seen(alone, tmp_path, monkeypatch, batch_size, samples):
    monkeypatch.setattr(StreamSampler, "__iter__", lambda self: iter(samples))
    settings = {**alone.settings, "output_dir": tmp_path / "run", "batch_size": batch_size}
    result = run_here(*arguments("training", config("acdc", "train"), in_float64(tmp_path), **settings))
    assert result.status == 0, result.err
    assert largest_difference(alone.folder, tmp_path / "run") > 10 * ROUNDING


def test_two_processes_evaluate_as_one(trained, tmp_path):
    run = trained("acdc")
    assert evaluate_here(run, tmp_path / "one", tta="false").status == 0
    given = evaluation_overrides(
        "acdc",
        dataset_dir=run.data,
        output_dir=tmp_path / "two",
        checkpoint=run.folder / "model.pt",
        args_file=run.folder / "network.json",
        tta="false",
    )
    given.pop("device")
    files = config("acdc", "evaluate"), config("acdc", "multi_gpu_train")
    result = run_in_two_processes(*arguments("evaluating", *files, **given))
    assert result.status == 0, result.err
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in ("one", "two")]
    assert summaries[0]["structures"] == summaries[1]["structures"]
    assert summaries[1]["n_cases"] == 4
    for path in sorted((tmp_path / "one" / "predictions").iterdir()):
        other = tmp_path / "two" / "predictions" / path.name
        assert np.array_equal(read_labels(path).array, read_labels(other).array)
