"""A training that is killed and resumed is the training that was not."""

import shutil
import signal
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import torch
from regionwise.weights import load_checkpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from .running import ROOT, arguments, config, environment, run_here, train_here, training

# Long enough for the signal to arrive in the middle of the second epoch.
SETTINGS = {"epochs": 2, "iterations_per_epoch": 25, "seed": 3}


def kill_in_the_second_epoch(data, folder, cache):
    """Start the training and kill it as soon as its first epoch is saved."""
    overrides = training("acdc", dataset_dir=data, output_dir=folder, cache_dir=cache, **SETTINGS)
    command = [
        sys.executable,
        "-m",
        "monai.bundle",
        "run",
        *arguments("training", config("acdc", "train"), **overrides),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    waited_until = time.monotonic() + 120
    while not (folder / "last.pt").is_file() and time.monotonic() < waited_until and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    out, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return out


def losses(out):
    return [line.partition("  Dice")[0] for line in out.splitlines() if line.startswith("epoch ")]


def steps(folder):
    """Return the steps of each curve that TensorBoard shows of a run, in the order of its files."""
    found = {}
    for path in sorted(folder.glob("events*")):
        events = EventAccumulator(str(path)).Reload()
        for tag in events.Tags()["scalars"]:
            found.setdefault(tag, []).extend(point.step for point in events.Scalars(tag))
    return found


def test_killed_and_resumed_equals_uninterrupted(trained, tmp_path):
    run = trained("acdc")
    whole = train_here("acdc", run.data, tmp_path / "whole", run.cache, **SETTINGS)
    curves = steps(tmp_path / "whole")
    assert curves["train_loss"] == [10, 20, 30, 40, 50], "iterations"
    assert curves["mean_train_loss"] == curves["val_mean_dice"] == [1, 2], "epochs"
    assert all(found == sorted(set(found)) for found in curves.values()), "no curve mixes the two"
    first = losses(kill_in_the_second_epoch(run.data, tmp_path / "part", run.cache))
    assert first == losses(whole.result.out)[:1]
    assert load_checkpoint(tmp_path / "part" / "last.pt")["epoch"] == 1
    resumed = train_here("acdc", run.data, tmp_path / "part", run.cache, resume="true", **SETTINGS)
    assert resumed.result.status == 0, resumed.result.err
    assert losses(resumed.result.out) == losses(whole.result.out)[1:]
    assert resumed.result.out.splitlines()[-2] == whole.result.out.splitlines()[-2]  # the best Dice and its epoch
    states = [load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "part")]
    assert states[0].keys() == states[1].keys()
    for name, weight in states[0]["network"].items():
        assert torch.equal(weight, states[1]["network"][name]), name
    for key in ("epoch", "iteration", "best_metric", "best_metric_epoch", "scheduler"):
        assert states[0][key] == states[1][key], key
    best = [load_checkpoint(tmp_path / name / "model.pt") for name in ("whole", "part")]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])


def test_a_run_augmented_on_the_device_resumes_to_the_same_weights(trained, tmp_path):
    run = trained("acdc")
    settings = {"epochs": 2, "iterations_per_epoch": 4, "augmentation": "device"}
    train_here("acdc", run.data, tmp_path / "whole", run.cache, **settings)
    train_here("acdc", run.data, tmp_path / "part", run.cache, max_minutes=1e-4, **settings)
    assert load_checkpoint(tmp_path / "part" / "last.pt")["epoch"] == 1
    train_here("acdc", run.data, tmp_path / "part", run.cache, resume="true", **settings)
    settings["augmentation"] = "workers"
    train_here("acdc", run.data, tmp_path / "workers", run.cache, **settings)
    whole, part, other = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "part", "workers"))
    assert part["epoch"] == 2
    for name, weight in whole["network"].items():
        assert torch.equal(weight, part["network"][name]), name
    assert any(not torch.equal(weight, other["network"][name]) for name, weight in whole["network"].items())


def test_other_settings_are_refused_and_the_run_stays_as_it_was(trained, tmp_path):
    run = trained("hippocampus")
    first = train_here("hippocampus", run.data, tmp_path, run.cache, epochs=1)
    names = ("last.pt", "run.json", "network.json")
    before = [(tmp_path / name).read_bytes() for name in names]
    for name, other, started in (("epochs", 3, 1), ("loss", "dice", "rrw:annealed+dice:equal"), ("seed", 5, 0)):
        changed = {**first.settings, name: other, "resume": "true"}
        result = run_here(*arguments("training", config("hippocampus", "train"), **changed))
        problem = f"it was started with --{name} {started}; pass the same"
        assert result.error == f"cannot resume from {tmp_path / 'last.pt'}: {problem}"
        assert [(tmp_path / name).read_bytes() for name in names] == before


def test_a_finished_run_is_not_trained_further(trained, tmp_path):
    run = trained("hippocampus")
    train_here("hippocampus", run.data, tmp_path, run.cache)
    weights = load_checkpoint(tmp_path / "model_last.pt")
    again = train_here("hippocampus", run.data, tmp_path, run.cache, resume="true")
    assert again.result.status == 0, again.result.err
    assert losses(again.result.out) == []
    assert "best Dice" in again.result.out
    assert all(torch.equal(weights[name], value) for name, value in load_checkpoint(tmp_path / "model_last.pt").items())


def test_a_damaged_last_state_is_refused(trained, tmp_path):
    run = trained("hippocampus")
    (tmp_path / "last.pt").write_bytes(b"half a file")
    result = train_here("hippocampus", run.data, tmp_path, run.cache, resume="true").result
    assert "last.pt is not a readable checkpoint of tensors" in result.error


# Each changes what the training computes.
OTHERS = {
    "patch_size": "[32,32]",
    "foreground_fraction": 0.9,
    "train#dataset#labeled_slices_only": "true",
    "gradient_norm": 1,
    "train#preprocessing#transforms#1#pixdim": "[4.0,4.0,-1]",
    "val_interval": 2,
    "amp": "true",
    "learning_rate": 0.5,
    "batch_size": 4,
    "loss_function#loss#_target_": "DiceCELoss",
    "train#augmentation#thick_slice_axis": 1,
    "augmentation": "device",
}


def test_every_setting_of_the_result_is_compared(trained, tmp_path):
    run = trained("acdc")
    first = train_here("acdc", run.data, tmp_path / "run", run.cache)
    before = (tmp_path / "run" / "last.pt").read_bytes()
    for name, value in OTHERS.items():
        changed = {**first.settings, name: value, "resume": "true"}
        if name == "loss_function#loss#_target_":
            changed |= {"loss_function#loss": "{'_target_': 'DiceCELoss', 'to_onehot_y': True, 'softmax': True}"}
            changed.pop(name)
        error = run_here(*arguments("training", config("acdc", "train"), **changed)).error
        assert error.startswith(f"cannot resume from {tmp_path / 'run' / 'last.pt'}: it was started with --{name} "), (
            error
        )
        assert error.endswith("; pass the same")
        assert (tmp_path / "run" / "last.pt").read_bytes() == before


def test_the_first_value_is_named_as_it_was_given(trained, tmp_path):
    run = trained("acdc")
    first = train_here("acdc", run.data, tmp_path, run.cache)
    changed = {**first.settings, "patch_size": [32, 32], "resume": "true"}
    error = run_here(*arguments("training", config("acdc", "train"), **changed)).error
    assert error.endswith("last.pt: it was started with --patch_size [48, 48]; pass the same")


def test_the_content_of_the_data_is_compared_not_its_folder(trained, tmp_path):
    run = trained("acdc")
    first = train_here("acdc", run.data, tmp_path / "run", run.cache)
    moved = shutil.copytree(run.data, tmp_path / "moved")
    settings = {**first.settings, "dataset_dir": moved, "cache_dir": tmp_path / "cache", "resume": "true"}
    again = run_here(*arguments("training", config("acdc", "train"), **settings))
    assert again.status == 0, again.err
    (label,) = moved.rglob("patient001_frame01_gt.nii.gz")
    image = nib.load(label)
    array = np.asanyarray(image.dataobj).copy()
    array[0, 0, 0] = 1
    nib.save(nib.Nifti1Image(array, image.affine), label)
    error = run_here(*arguments("training", config("acdc", "train"), **settings)).error
    assert error.endswith("the case patient001_frame01 has other content; resume with the data of the first run")
    shutil.rmtree(label.parent)
    error = run_here(*arguments("training", config("acdc", "train"), **settings)).error
    assert "the case patient001_frame01 is missing" in error or "patient001" in error


def test_what_does_not_change_the_result_may_change(trained, tmp_path):
    run = trained("hippocampus")
    first = train_here(
        "hippocampus", run.data, tmp_path / "run", run.cache, iterations_per_epoch=1, epochs=2, max_minutes=1e-4
    )
    changed = {"num_workers": 1, "max_minutes": 10, "patience": 5, "cache_dir": tmp_path / "cache"}
    changed = {**first.settings, **changed, "resume": "True"}
    result = run_here(*arguments("training", config("hippocampus", "train"), **changed))
    assert result.status == 0, result.err
    assert len(losses(result.out)) == 1
