"""Two processes (Gloo on CPUs, started by torchrun) train and judge as one."""

import json

import numpy as np
import pytest
import torch
from regionwise.nifti import read_labels
from regionwise.weights import inference_weights, load_checkpoint

from .running import BUNDLES, arguments, config, evaluate_here, judging, run_here, run_process, train_here, training

SETTINGS = {"epochs": 2, "iterations_per_epoch": 3, "batch_size": 4}


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
        ("evaluating", "evaluate", judging(bundle)),
    ):
        settings.pop("device")
        given = {**settings, "dataset_dir": phantoms[bundle], "output_dir": tmp_path}
        result = run_here(*arguments(run_id, config(bundle, name), config(bundle, "multi_gpu"), **given))
        assert result.error.startswith("multi_gpu.json needs torchrun: torchrun --nproc_per_node N -m monai.bundle run")
    assert list(tmp_path.iterdir()) == []


def test_two_processes_train_as_one(trained, tmp_path):
    run = trained("acdc")
    one = train_here("acdc", run.data, tmp_path / "one", run.cache, **SETTINGS)
    settings = {**one.settings, "output_dir": tmp_path / "two", "cache_dir": tmp_path / "cache"}
    settings.pop("device")
    files = config("acdc", "train"), config("acdc", "multi_gpu")
    result = run_in_two_processes(*arguments("training", *files, **settings))
    assert result.status == 0, result.err
    # One process speaks, and what it says are the figures of both.
    assert len(figures(result.out)) == 2
    assert np.allclose(figures(result.out), figures(one.result.out), atol=2e-4)
    states = [load_checkpoint(tmp_path / name / "last.pt") for name in ("one", "two")]
    assert states[1]["best_metric"] == pytest.approx(states[0]["best_metric"], abs=1e-5)
    first, second = (inference_weights(state["network"]) for state in states)
    assert first.keys() == second.keys()
    for name in first:
        assert torch.allclose(first[name], second[name], atol=1e-5), name
    assert len([path for path in (tmp_path / "cache").iterdir()]) == 8  # each case is preprocessed once


def test_two_processes_judge_as_one(trained, tmp_path):
    run = trained("acdc")
    assert evaluate_here(run, tmp_path / "one", tta="false").status == 0
    given = judging(
        "acdc",
        dataset_dir=run.data,
        output_dir=tmp_path / "two",
        checkpoint=run.folder / "model.pt",
        args_file=run.folder / "network.json",
        tta="false",
    )
    given.pop("device")
    files = config("acdc", "evaluate"), config("acdc", "multi_gpu")
    result = run_in_two_processes(*arguments("evaluating", *files, **given))
    assert result.status == 0, result.err
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in ("one", "two")]
    assert summaries[0]["structures"] == summaries[1]["structures"]
    assert summaries[1]["n_cases"] == 4
    for path in sorted((tmp_path / "one" / "predictions").iterdir()):
        other = tmp_path / "two" / "predictions" / path.name
        assert np.array_equal(read_labels(path).array, read_labels(other).array)
