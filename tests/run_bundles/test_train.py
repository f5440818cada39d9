"""Training each bundle on its phantom."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from regionwise.weights import load_checkpoint
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from .running import BUNDLES, DATASETS, arguments, config, half_written, run_here, run_process, train_here, training

SETTINGS = {
    "distances on the fly": {"distance": "on_the_fly"},
    "a loss that is not rectified": {"loss": "boundary"},
    "a scheduled pair of losses": {"loss": "rrw+ce:gradual", "epochs": 2, "iterations_per_epoch": 1},
    "class emphasis": {"class_weights": [1, 2, 2, 2]},
    "processes that load": {"num_workers": 1},
    "3-D": {"patch_size": [32, 32, 8], "upsampling": [[2, 2, 1], [2, 2, 2], [2, 2, 2]]},
}


def epoch_lines(out):
    return [line for line in out.splitlines() if line.startswith("epoch ")]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bundle_trains_and_leaves_what_is_needed_to_use_it(trained, bundle):
    run = trained(bundle)
    assert run.result.status == 0, run.result.err
    (line,) = epoch_lines(run.result.out)
    assert line.startswith("epoch 1/1  loss ") and "  Dice " in line
    names = {path.name.partition(".1")[0] for path in run.folder.iterdir()}
    assert names == {"last.pt", "model.pt", "model_last.pt", "network.json", "run.json", "events.out.tfevents"}
    network = run.network
    assert (network["patch_size"], network["slice_axis"]) == ([48, 48], 0 if bundle == "kits" else 2)
    assert network["network_def"] == {
        "_target_": "DynUNet",
        "spatial_dims": 2,
        "in_channels": 4 if bundle == "brats" else 1,
        "out_channels": 4 if bundle in ("acdc", "brats") else 3,
        "kernel_size": [3, 3, 3, 3],
        "strides": [1, 2, 2, 2],
        "upsample_kernel_size": [2, 2, 2],
        "filters": [8, 16, 32, 64],
        "deep_supervision": False,
    }
    record = json.loads((run.folder / "run.json").read_text())
    released = json.loads(config(bundle, "train").read_text())
    assert (record["loss"], record["distance"]) == (released["loss"], released["distance"])
    assert (record["epochs"], record["seed"]) == (1, 0)
    assert (record["dataset"], record["network"]) == (DATASETS[bundle], network)
    assert half_written(run.folder, run.cache) == []


def test_training_changes_the_weights_and_keeps_them_finite(trained):
    run = trained("acdc")
    one, last = (load_checkpoint(run.folder / name) for name in ("model.pt", "model_last.pt"))
    assert all(torch.equal(one[name], last[name]) for name in one)  # one epoch: the best is the last
    assert all(torch.isfinite(value).all() for value in one.values())
    state = load_checkpoint(run.folder / "last.pt")
    assert (state["epoch"], state["iteration"]) == (1, 2)
    assert all(step["step"] == 2 for step in state["optimizer"]["state"].values())


def test_both_sides_of_the_split_are_preprocessed_once(phantoms, tmp_path):
    # A cache of its own: others add cases with other settings to the one that tests share.
    run = train_here("acdc", phantoms["acdc"], tmp_path / "run", tmp_path / "cache")
    stored = sorted(path.name.rpartition("-")[0] for path in run.cache.iterdir())
    info = [path.name for path in sorted(run.data.rglob("*_gt.nii.gz"))]
    assert stored == [name.removesuffix("_gt.nii.gz") for name in info]


def test_the_same_seed_gives_the_same_training_and_another_one_another(trained, tmp_path):
    first = trained("hippocampus")
    again, other = (
        train_here("hippocampus", first.data, tmp_path / str(seed), first.cache, seed=seed, split=str(split))
        for split in [write_split(tmp_path)]
        for seed in (0, 1)
    )
    same = train_here("hippocampus", first.data, tmp_path / "same", first.cache, split=str(tmp_path / "split.json"))
    weights = [load_checkpoint(run.folder / "model_last.pt") for run in (again, same, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def write_split(folder):
    path = folder / "split.json"
    path.write_text(json.dumps({"train": ["hippocampus_001", "hippocampus_003"], "val": ["hippocampus_002"]}))
    return path


@pytest.mark.parametrize("what", SETTINGS)
def test_the_settings_train(trained, tmp_path, what):
    run = trained("acdc")
    other = train_here("acdc", run.data, tmp_path / "run", run.cache, **SETTINGS[what])
    assert other.result.status == 0, other.result.err
    assert len(epoch_lines(other.result.out)) == SETTINGS[what].get("epochs", 1)
    assert "Dice" in other.result.out
    assert other.network["network_def"]["spatial_dims"] == len(SETTINGS[what].get("patch_size", "2d"))


def test_the_signs_of_the_gradient_on_request(trained, tmp_path):
    run = trained("acdc")
    other = train_here("acdc", run.data, tmp_path / "run", run.cache, gradient_signs="true")
    assert other.result.status == 0, other.result.err
    read = {}
    for folder in (run.folder, other.folder):
        events = [EventAccumulator(str(path)).Reload() for path in folder.glob("events*")]
        read[folder] = {tag: one.Scalars(tag) for one in events for tag in one.Tags()["scalars"]}
    assert "gradient_signs/single" not in read[run.folder]
    (point,) = read[other.folder]["gradient_signs/single"]
    assert (point.step, point.value) == (1, 1)  # the map is rectified: one negative component at every voxel


def test_a_collapse_ends_the_run_with_the_best_weights_kept(trained, tmp_path):
    run = trained("acdc")
    handlers = json.loads(config("acdc", "train").read_text())["train"]["handlers"]
    (guard,) = (i for i, handler in enumerate(handlers) if handler["_target_"] == "regionwise.training.CollapseGuard")
    # Steps far too large for the region-wise loss; it stops after 10 iterations of it instead of 200.
    settings = {"loss": "rrw", "learning_rate": 0.1, "epochs": 20, "iterations_per_epoch": 5}
    folder = tmp_path / "run"
    other = train_here("acdc", run.data, folder, run.cache, **settings, **{f"train#handlers#{guard}#patience": 10})
    line = "the training has collapsed: class 0 is predicted everywhere, with mean probability "
    assert other.result.error.startswith(line)
    assert "train with --loss rrw:annealed or a smaller --learning_rate" in other.result.error
    assert f"warning: {line}" in other.result.out
    assert {"last.pt", "model.pt"} <= {path.name for path in folder.iterdir()}
    events = [EventAccumulator(str(path)).Reload() for path in folder.glob("events*")]
    tags = {tag for one in events for tag in one.Tags()["scalars"]}
    assert {
        f"foreground_fraction/structure_{c}/{name}" for c in (1, 2, 3) for name in ("predicted", "reference")
    } <= tags
    state = torch.load(folder / "last.pt", weights_only=True)["collapse"]
    assert state["since"] is not None


def test_both_ids_start_the_training(phantoms, trained, tmp_path):
    run = trained("hippocampus")
    overrides = training("hippocampus", dataset_dir=run.data, output_dir=tmp_path, cache_dir=run.cache)
    result = run_here(*arguments("run", config("hippocampus", "train"), **overrides))
    assert epoch_lines(result.out)[0].partition("  Dice")[0] == epoch_lines(run.result.out)[0].partition("  Dice")[0]


def test_a_budget_ends_the_run_after_a_whole_epoch(trained, tmp_path):
    run = trained("hippocampus")
    short = train_here("hippocampus", run.data, tmp_path, run.cache, epochs=50, max_minutes=1e-4, val_interval=20)
    assert len(epoch_lines(short.result.out)) == 1
    assert "Dice" in epoch_lines(short.result.out)[0]
    assert load_checkpoint(tmp_path / "last.pt")["epoch"] == 1


def test_the_command_of_the_readme_from_the_repository_and_from_the_folder(trained, tmp_path):
    """In a process of its own: the exit status, the progress on stdout, nothing but the runner's words on stderr."""
    run = trained("acdc")
    overrides = training("acdc", dataset_dir=run.data, output_dir=tmp_path, cache_dir=run.cache)
    result = run_process(*arguments("training", "bundles/acdc_rrw/configs/train.json", **overrides))
    assert result.status == 0, result.err
    assert epoch_lines(result.out)[0].partition("  Dice")[0] == epoch_lines(run.result.out)[0].partition("  Dice")[0]
    assert "Traceback" not in result.err and "error:" not in result.err


def test_from_the_bundles_folder_the_output_goes_to_its_models(trained, tmp_path, monkeypatch):
    run = trained("acdc")
    bundle = tmp_path / "acdc_rrw"
    (bundle / "configs").mkdir(parents=True)
    for file in config("acdc", "train").parent.iterdir():
        (bundle / "configs" / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(bundle)
    result = run_here(*arguments("training", "configs/train.json", **training("acdc", dataset_dir=run.data)))
    assert result.status == 0, result.err
    assert (bundle / "models" / "model.pt").is_file()
    assert len([path for path in (bundle / "models" / "cache").iterdir() if path.is_dir()]) == 8


def test_real_hippocampi(real_data, tmp_path):
    (tmp_path / "split.json").write_text(json.dumps({"train": ["hippocampus_001"], "val": ["hippocampus_035"]}))
    run = train_here(
        "hippocampus",
        real_data / "msd_task04_hippocampus",
        tmp_path / "run",
        tmp_path / "cache",
        split=str(tmp_path / "split.json"),
        iterations_per_epoch=1,
    )
    assert run.result.status == 0, run.result.err
    assert sorted(path.name[:15] for path in run.cache.iterdir()) == ["hippocampus_001", "hippocampus_035"]


def test_real_hearts_without_right_ventricle(real_data, tmp_path):
    run = train_here("acdc", real_data / "sunnybrook_acdc_layout", tmp_path / "run", tmp_path / "cache")
    assert run.result.status == 0, run.result.err
    stored = {path.name.rpartition("-")[0]: np.load(path / "label.npy") for path in run.cache.iterdir()}
    assert len(stored) == 4  # ED and ES of the two patients
    assert {tuple(np.unique(label)) for label in stored.values()} == {(0, 2, 3), (0, 3)}


def test_a_label_on_another_grid_than_the_image_is_an_error(phantoms, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(phantoms["acdc"], data)
    label = sorted(data.rglob("*_gt.nii.gz"))[0]
    image = nib.load(label)
    affine = image.affine.copy()
    affine[0, 3] += 20
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), affine), label)
    run = train_here("acdc", data, tmp_path / "run", tmp_path / "cache")
    assert "expected one affine in a case, found" in run.result.error
    assert label.name in run.result.error
