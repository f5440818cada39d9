"""Two stages through the runner: locate, crop with a margin, segment at full resolution."""

import shutil

import nibabel as nib
import numpy as np
import pytest

from .running import TINY, arguments, config, run_here

SHORT = {**TINY, "folds": 2, "split": "kfold", "train#trainer#compile": False}
SMALL = {"num_workers": 0, "device": "cpu", "amp": False, "folds": 2, "split": "kfold", "tta": False}


def train(data, folder, *overlays, **settings):
    given = {**SHORT, "dataset_dir": data, "output_dir": folder, "cache_dir": folder / "cache", **settings}
    return run_here(*arguments("training", config("kits", "train"), *overlays, **given))


def evaluate(data, run, out, *overlays, run_id="evaluating", **settings):
    used = {"checkpoint": run / "model.pt", "args_file": run / "network.json"}
    given = {**SMALL, **used, "dataset_dir": data, "output_dir": out, **settings}
    return run_here(*arguments(run_id, config("kits", "evaluate"), *overlays, **given))


@pytest.fixture(scope="module")
def first_stage(phantoms, tmp_path_factory):
    """Return the folders of the out-of-fold predictions; the reference stands in for what the network found."""
    root, data = tmp_path_factory.mktemp("stage1"), phantoms["kits"]
    coarse = {"preprocessing#transforms#1#spatial_size": [-1, 48, 48]}
    for fold in (0, 1):
        run = root / str(fold)
        result = train(data, run, fold=fold, **{f"train#{key}": value for key, value in coarse.items()})
        assert result.status == 0, result.err
        result = evaluate(data, run, run / "eval", fold=fold, **coarse)
        assert result.status == 0, result.err
        for path in (run / "eval" / "predictions").iterdir():
            shutil.copy(data / path.name.removesuffix(".nii.gz") / "segmentation.nii.gz", path)
    return [root / "0" / "eval", root / "1" / "eval"]


@pytest.fixture(scope="module")
def second_stage(phantoms, first_stage, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage2")
    priors = {"prior_dir": [str(one) for one in first_stage]}
    return folder, priors, train(phantoms["kits"], folder, config("kits", "cascade_train"), **priors)


def test_the_second_stage_trains_on_crops_at_full_resolution(phantoms, second_stage):
    folder, _, result = second_stage
    assert result.status == 0, result.err
    stored = [path for path in (folder / "cache").iterdir() if path.name.startswith("case_")]
    assert len(stored) == 4
    for path in stored:
        whole = nib.load(phantoms["kits"] / path.name.rpartition("-")[0] / "imaging.nii.gz").shape
        part = np.load(path / "image.npy", mmap_mode="r").shape[1:]
        assert part[2] < whole[2] and part[1] < whole[1]
        assert np.load(path / "label.npy").any()


def test_its_predictions_are_on_the_grid_of_the_scan(phantoms, second_stage, tmp_path):
    folder, priors, _ = second_stage
    result = evaluate(phantoms["kits"], folder, tmp_path, config("kits", "cascade"), **priors)
    assert result.status == 0, result.err
    for path in (tmp_path / "predictions").iterdir():
        scan = nib.load(phantoms["kits"] / path.name.removesuffix(".nii.gz") / "imaging.nii.gz")
        assert nib.load(path).shape == scan.shape
        assert np.allclose(nib.load(path).affine, scan.affine, atol=1e-4)
    assert (tmp_path / "cases.csv").is_file()


def test_a_lost_box_falls_back_and_says_so(phantoms, second_stage, tmp_path):
    folder, priors, _ = second_stage
    lost = {**priors, "prior_structures": [9]}
    result = evaluate(phantoms["kits"], folder, tmp_path, config("kits", "cascade"), **lost)
    assert result.status == 0, result.err
    assert result.err.count("using the whole volume") == 2


def test_without_a_prior_and_with_one_in_fold_it_is_one_line(phantoms, first_stage, tmp_path):
    overlay = config("kits", "cascade_train")
    assert "no prior given: pass --prior_dir" in train(phantoms["kits"], tmp_path / "run", overlay).error
    predictions = {"prior_dir": str(first_stage[0] / "predictions")}
    line = train(phantoms["kits"], tmp_path / "run", overlay, **predictions).error
    assert "expected predictions of scans that their network did not train on" in line
    assert not (tmp_path / "run").exists()
