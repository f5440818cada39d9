"""Each way in which a dataset or a command line can be wrong: one line, status 1, and nothing half-written."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from regionwise.cli import main

from .running import (
    BUNDLES,
    arguments,
    config,
    evaluate_here,
    evaluation_overrides,
    half_written,
    run_here,
    run_process,
    train_here,
    training,
)


@pytest.fixture
def hearts(phantoms, tmp_path):
    """Return a dataset that the test may damage."""
    return shutil.copytree(phantoms["acdc"], tmp_path / "hearts")


def rewrite(path, change):
    image = nib.load(path)
    array = change(np.asanyarray(image.dataobj))
    nib.save(nib.Nifti1Image(array, image.affine), path)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_ed(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("ED")]
    path.write_text("\n".join(lines))


DAMAGE = {
    "a case without its label": (
        "patient002_frame01_gt.nii.gz",
        lambda path: path.unlink(),
        "the ED label of patient002 is missing: expected ",
    ),
    "a case without its image": (
        "patient002_frame01.nii.gz",
        lambda path: path.unlink(),
        "the ED image of patient002 is missing: expected ",
    ),
    "image and label of different shape": (
        "patient002_frame01_gt.nii.gz",
        lambda path: rewrite(path, lambda array: array[:, :, :-1]),
        "expected one shape in a case, found (45, 48, 9) in",
    ),
    "a truncated scan": ("patient002_frame01.nii.gz", truncate, "patient002_frame01.nii.gz is damaged or truncated ("),
    "a truncated label": (
        "patient003_frame01_gt.nii.gz",
        truncate,
        "patient003_frame01_gt.nii.gz is damaged or truncated (",
    ),
    "Info.cfg without ED": ("Info.cfg", without_ed, "expected a line 'ED: <frame number>' in"),
    "labels outside the classes": (
        "patient002_frame01_gt.nii.gz",
        lambda path: rewrite(path, lambda array: np.where(array == 3, 9, array)),
        "expected labels 0, 1, 2, 3, found 9 in",
    ),
    "a scan with NaN": (
        "patient002_frame01.nii.gz",
        lambda path: rewrite(path, lambda array: np.full(array.shape, np.nan, np.float32)),
        "NaN or infinite in",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_dataset(hearts, tmp_path, what):
    name, damage, message = DAMAGE[what]
    damage(next(hearts.rglob(name)))
    run = train_here("acdc", hearts, tmp_path / "run", tmp_path / "cache")
    assert message in run.result.error
    assert str(hearts) in run.result.error
    assert half_written(tmp_path) == []
    assert not run.folder.exists()  # nothing was trained


def test_the_good_cases_of_a_damaged_dataset_are_kept(hearts, tmp_path):
    scan = next(hearts.rglob("patient002_frame01.nii.gz"))
    whole = scan.read_bytes()
    truncate(scan)
    train_here("acdc", hearts, tmp_path / "run", tmp_path / "cache")
    kept = {path.name for path in (tmp_path / "cache").iterdir()}
    assert len(kept) == 3  # of the four of the training side
    scan.write_bytes(whole)
    assert train_here("acdc", hearts, tmp_path / "run", tmp_path / "cache").result.status == 0
    assert kept < {path.name for path in (tmp_path / "cache").iterdir()}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_no_dataset(bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    for name, run_id in (("train", "training"), ("evaluate", "evaluating")):
        file, out = config(bundle, name), tmp_path / "out"
        error = run_here(*arguments(run_id, file, output_dir=out)).error
        assert error.startswith("no dataset given: pass --dataset_dir DIR with ")
        error = run_here(*arguments(run_id, file, output_dir=out, dataset_dir=tmp_path / "none")).error
        assert str(tmp_path / "none") in error and "found no such folder" in error
        error = run_here(*arguments(run_id, file, output_dir=out, dataset_dir=tmp_path / "empty")).error
        assert str(tmp_path / "empty") in error and "expected" in error
        assert not out.exists()


SETTINGS = {
    "an unknown loss": ({"loss": "rww"}, "Unknown loss 'rww'; did you mean 'rrw'? choices: rrw, "),
    "a typo in a key": ({"epohcs": 3}, "Unknown id 'epohcs' in "),
    "a typo in a nested key": ({"train#trainer#max_epocs": 3}, "did you mean 'train#trainer#max_epochs'?"),
    "negative epochs": ({"epochs": -1}, "expected --epochs to be an integer >= 1, found -1"),
    "a target that does not exist": (
        {"optimizer#_target_": "torch.optim.Adamm"},
        "optimizer: _target_ 'torch.optim.Adamm' does not exist; did you mean 'Adam'?",
    ),
    "an unknown distance": (
        {"distance": "slice"},
        "expected --distance to be 'precomputed' or 'on_the_fly', found 'slice'",
    ),
    "a device that is not there": ({"device": "cuda:77"}, "expected --device to be a torch device of this machine"),
    "an unknown split": ({"split": "papre"}, "expected split to be 'paper', 'kfold' or a JSON file, found 'papre'"),
    "a fold that is not there": ({"split": "kfold", "fold": 9}, "expected fold to be 0..4 (folds is 5), found 9"),
    "a patch that poolings do not divide": (
        {"patch_size": [48, 44]},
        "expected --patch_size divisible by its poolings",
    ),
    "a batch of nothing": ({"batch_size": 0}, "expected --batch_size to be an integer >= 1, found 0"),
    "no time": ({"max_minutes": 0}, "expected --max_minutes to be a number > 0, or null, found 0"),
    "kernels for too many axes": (
        {"kernel_size": "[[3,3,3],[3,3,3],[3,3,3],[3,3,3]]"},
        "expected --kernel_size of 2 numbers per level, as --patch_size has, found",
    ),
    "even kernels": ({"kernel_size": "[2,2,2,2]"}, "expected --kernel_size to be a list of odd integers, or of one"),
    "steps of two forms": ({"upsampling": "[[2,2,2],2,2]"}, "expected --upsampling to be a list of integers >= 1"),
    "classes that are no number": ({"num_classes": "abc"}, "expected --num_classes to be an integer from 2 to 256"),
    "classes that the data do not have": (
        {"num_classes": 7},
        "expected --num_classes 4, the channels of metadata.json",
    ),
    "channels that the data do not have": (
        {"network_def#in_channels": 2},
        "expected --network_def#in_channels 1, the channels of metadata.json, found 2",
    ),
    "an axis that is not there": ({"slice_axis": 7}, "expected --slice_axis to be 0, 1 or 2, found 7"),
    "an axis that is no number": ({"slice_axis": "abc"}, "expected --slice_axis to be 0, 1 or 2, found 'abc'"),
    "processes without torchrun": ({"world_size": 2}, "Unknown id 'world_size' in"),
    "a rank without torchrun": ({"rank": 1}, "Unknown id 'rank' in"),
    "a spacing that is none": (
        {"train#preprocessing#transforms#1#pixdim": "abc"},
        "train#preprocessing#transforms#1: Spacingd does not take pixdim 'abc'",
    ),
    "a fold of the paper's split": ({"fold": 9}, "expected --fold 0 with --split paper, which has one division"),
    "references in a circle": ({"epochs": "@val_interval", "val_interval": "@epochs"}, "references lead in a circle: "),
    "an expression that is none": ({"epochs": "$@fold["}, "epochs: '$@fold[' is no Python expression ("),
    "no folder": ({"output_dir": "''"}, "expected --output_dir to be a path, found ''"),
    "no cache": ({"cache_dir": "''"}, "expected --cache_dir to be a path, found ''"),
    "a switch in place of a folder": ({"output_dir": "True"}, "expected --output_dir to be a path, found True"),
    "an unknown action": ({"on_collapse": "halt"}, "expected --on_collapse to be 'warn' or 'stop', found 'halt'"),
    "an exponent out of range": ({"loss": "rrw:q=2"}, "Loss 'rrw:q=2': expected 0 < q <= 1, found q=2.0"),
    "a misspelled annealing": (
        {"loss": "rrw:anneled"},
        "Unknown loss 'rrw:anneled'; did you mean 'rrw:annealed'?",
    ),
    "a switch that is none": ({"resume": "maybe"}, "expected --resume to be true or false, found 'maybe'"),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_a_wrong_setting_before_any_data_is_read(phantoms, tmp_path, what):
    changes, message = SETTINGS[what]
    run = train_here("acdc", phantoms["acdc"], tmp_path / "run", tmp_path / "cache", **changes)
    assert message in run.result.error
    assert list(tmp_path.iterdir()) == []


def test_a_number_is_the_name_of_a_folder(trained, tmp_path, monkeypatch):
    run = trained("hippocampus")
    monkeypatch.chdir(tmp_path)
    settings = {"bundle_root": config("hippocampus", "train").parents[1]}
    other = train_here("hippocampus", run.data, 5, 2.5, **settings)
    assert other.result.status == 0, other.result.err
    assert (tmp_path / "5" / "model.pt").is_file() and (tmp_path / "2.5").is_dir()
    given = evaluation_overrides("hippocampus", **settings, dataset_dir=run.data, output_dir=6, checkpoint="5/model.pt")
    given["args_file"] = "5/network.json"
    result = run_here(*arguments("evaluating", config("hippocampus", "evaluate"), **given))
    assert result.status == 0, result.err
    assert (tmp_path / "6" / "report.html").is_file()
    given = {**settings, "input": run.data / "imagesTr" / "hippocampus_001.nii.gz", "output_dir": 7, "device": "cpu"}
    given |= {"checkpoint": "5/model.pt", "args_file": "5/network.json"}
    result = run_here(*arguments("run", config("hippocampus", "inference"), **given))
    assert result.status == 0, result.err
    assert (tmp_path / "7" / "hippocampus_001.nii.gz").is_file()


@pytest.mark.parametrize("what", ["an unknown loss", "a typo in a key", "a target that does not exist"])
def test_lint_says_the_same_as_the_runner(what, capsys):
    changes, message = SETTINGS[what]
    options = [text for key, value in changes.items() for text in (f"--{key}", str(value))]
    assert main(["lint", str(config("acdc", "train")), *options]) == 1
    assert message in capsys.readouterr().out


def test_a_run_id_that_does_not_exist(phantoms, tmp_path):
    given = {"dataset_dir": phantoms["acdc"], "output_dir": tmp_path / "out"}
    assert "Unknown id 'traning' to run in" in run_here(*arguments("traning", config("acdc", "train"), **given)).error


def test_a_loss_that_is_not_finite_ends_the_training(trained, tmp_path):
    run = trained("hippocampus")
    settings = {"learning_rate": 1e18, "iterations_per_epoch": 12, "gradient_norm": 1e18, "epochs": 3}
    other = train_here("hippocampus", run.data, tmp_path / "run", run.cache, **settings)
    assert other.result.error.startswith("the loss became nan in epoch 1, iteration 1")
    assert not (tmp_path / "run" / "last.pt").exists()


EVALUATIONS = {
    "a checkpoint that is not there": ({"checkpoint": "none.pt"}, "expected a checkpoint at none.pt, not found"),
    "a checkpoint that does not fit": ({"network_def#filters": "[8,16,32,48]"}, "does not fit the network: "),
    "an unknown section": ({"section": "tset"}, "Unknown section 'tset'"),
    "regions of other data": ({"regions": "brats"}, "expected --regions null for the classes of msd, found 'brats'"),
    "a class that is not there": (
        {"largest_component": "[9]"},
        "expected --largest_component of classes 1 to 2, found 9",
    ),
    "unknown regions": ({"regions": "brast"}, "expected --regions to be one of brats, or null, found 'brast'"),
    "no member": ({"checkpoint": "[]"}, "expected --checkpoint to be a file, or a list of them, found []"),
}


@pytest.mark.parametrize("what", EVALUATIONS)
def test_a_wrong_evaluation(trained, tmp_path, what):
    changes, message = EVALUATIONS[what]
    result = evaluate_here(trained("hippocampus"), tmp_path / "out", **changes)
    assert message in result.error
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_checkpoint(trained, tmp_path):
    (tmp_path / "model.pt").write_text("half a file")
    result = evaluate_here(trained("hippocampus"), tmp_path / "out", checkpoint=tmp_path / "model.pt")
    assert "model.pt is not a readable checkpoint of tensors (" in result.error


def test_a_damaged_scan_of_the_evaluation(trained, hearts, tmp_path):
    scan = sorted(path for path in hearts.rglob("patient003_frame??.nii.gz"))[-1]
    truncate(scan)
    for workers in (0, 1):
        result = evaluate_here(trained("acdc"), tmp_path / "out", dataset_dir=hearts, num_workers=workers, tta="false")
        assert f"{scan.name} is damaged or truncated (" in result.error
        assert half_written(tmp_path) == []


def test_in_a_process_of_its_own(hearts, tmp_path):
    """What the interpreter makes of it: status 1 and, after the runner's own words, the line."""
    truncate(next(hearts.rglob("patient002_frame01.nii.gz")))
    given = training(
        "acdc", dataset_dir=hearts, output_dir=tmp_path / "run", cache_dir=tmp_path / "cache", num_workers=1
    )
    result = run_process(*arguments("training", "bundles/acdc_rrw/configs/train.json", **given))
    assert "patient002_frame01.nii.gz is damaged or truncated (" in result.error
    assert half_written(tmp_path) == []
