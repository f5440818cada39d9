"""BIDS in, BIDS derivatives out, through the runner."""

import json
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest

from .. import odd_scans
from ..bids.trees import write_tree
from .running import BUNDLES, config, evaluate_here, train_here


@pytest.fixture(scope="module")
def tree(phantoms, tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("bids") / "tree", phantoms["hippocampus"])


@pytest.fixture(scope="module")
def run(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bids_run")
    return train_here("hippocampus", tree, folder / "run", folder / "cache", config("hippocampus", "bids_train"))


def find_validator_errors(tree):
    """Return the validator's errors on a tree as (code, file)."""
    validator = shutil.which("bids-validator-deno") or shutil.which("bids-validator")
    if validator is None:
        pytest.skip("no bids-validator here: pip install bids-validator-deno")
    done = subprocess.run([validator, str(tree), "--json"], capture_output=True, text=True, timeout=300)
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [(issue["code"], issue.get("location")) for issue in issues if issue["severity"] == "error"]


def test_a_bundle_trains_and_predicts_a_tree(run, tree, tmp_path):
    assert run.result.status == 0, run.result.err
    assert sorted(path.name.rpartition("-")[0] for path in run.cache.iterdir() if path.name.startswith("sub-")) == [
        f"sub-0{subject}_ses-{session}" for subject in (1, 2) for session in (1, 2)
    ]
    overlay = config("hippocampus", "bids")
    result = evaluate_here(run, tmp_path / "out", overlay, run_id="predicting", derivative=tmp_path / "derived")
    assert result.status == 0, result.err
    assert f"4 label maps in {tmp_path / 'derived'}" in result.out
    written = tmp_path / "derived/sub-01/ses-2/anat/sub-01_ses-2_dseg.nii.gz"
    scan = tree / "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"
    assert nib.load(written).shape == nib.load(scan).shape
    assert np.allclose(nib.load(written).affine, nib.load(scan).affine)
    sidecar = json.loads(written.with_name("sub-01_ses-2_dseg.json").read_text())
    assert sidecar["Sources"] == ["bids:raw:sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"]
    assert len(sidecar["WeightsSHA256"][0]) == 64
    assert written.with_name("sub-01_ses-2_dseg.tsv").read_text().splitlines()[1:] == [
        "0\tbackground",
        "1\tanterior",
        "2\tposterior",
    ]
    settings = {"run_id": "predicting", "derivative": tmp_path / "derived"}
    again = evaluate_here(run, tmp_path / "out", overlay, **settings)
    assert again.error.endswith("is there already; choose another --derivative, or pass --overwrite to replace it")
    again = evaluate_here(run, tmp_path / "out", overlay, **settings, overwrite=True)
    assert again.status == 0, again.err


def test_scans_that_cannot_be_segmented_are_named_and_the_others_segmented(run, tree, tmp_path):
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy)
    nan, gone, series, sound = (
        copy / f"sub-0{subject}/ses-{session}/anat/sub-0{subject}_ses-{session}_T1w.nii.gz"
        for subject in (1, 2)
        for session in (1, 2)
    )
    odd_scans.REFUSED["nan"](nan)
    odd_scans.REFUSED["four_axes"](series)
    gone.unlink()
    gone.symlink_to(copy / "annex" / "not_fetched")  # as datalad leaves it
    other = type(run)(run.bundle, copy, run.folder, run.cache, run.result, run.settings)
    overlay, derived = config("hippocampus", "bids"), copy / "derivatives" / "regionwise"
    result = evaluate_here(other, tmp_path / "out", overlay, run_id="predicting")
    assert result.error.startswith("3 of 4 scans were not segmented, first: expected finite voxels, found 1 NaN")
    for path in (nan, gone, series):
        assert sum(str(path) in line for line in result.err.splitlines() if line.startswith("not segmented: ")) == 1
    name = sound.name.replace("T1w", "dseg")
    assert [path.name for path in derived.rglob("*.nii.gz")] == [name]
    assert [path.name for path in (tmp_path / "out").rglob("*.nii.gz")] == ["sub-02_ses-2.nii.gz"]


def test_the_tree_with_our_derivatives_is_valid(run, tree, tmp_path):
    copy = tmp_path / "tree"
    shutil.copytree(tree, copy)
    assert find_validator_errors(copy) == []
    run = type(run)(run.bundle, copy, run.folder, run.cache, run.result, run.settings)
    result = evaluate_here(run, tmp_path / "out", config("hippocampus", "bids"))
    assert result.status == 0, result.err
    assert (tmp_path / "out" / "cases.csv").read_text().count("\n") == 1 + 4 * 2
    assert (copy / "derivatives/regionwise/dataset_description.json").is_file()
    assert find_validator_errors(copy) == []
    assert find_validator_errors(copy / "derivatives/regionwise") == []


def test_derivatives_of_another_program_stay(run, tree, tmp_path):
    overlay = config("hippocampus", "bids")
    derived = tree / "derivatives/manual"
    result = evaluate_here(run, tmp_path / "out", overlay, run_id="predicting", derivative=derived)
    assert result.error == f"{derived} holds the derivatives of another program; pass another --derivative"


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_folder_that_is_no_tree_is_one_line(bundle, phantoms, tmp_path):
    run = train_here(bundle, phantoms[bundle], tmp_path / "run", tmp_path / "cache", config(bundle, "bids_train"))
    assert run.result.error.endswith("dataset_description.json, not found; BIDS asks for it")
    assert not (tmp_path / "run").exists()
