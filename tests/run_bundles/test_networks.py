"""Another network and another loss: trained, evaluated, used for inference, packed, verified and exported."""

import json

import nibabel as nib
import pytest
from monai.bundle import ConfigParser
from regionwise.cli import main
from regionwise.packaging.archive import read_bundle

from .running import arguments, config, evaluate_here, infer_here, run_here, train_here

PATCH = {2: [48, 48], 3: [32, 48, 32]}


def unet(dims):
    shape = {"channels": [8, 16, 32], "strides": [2, 2], "num_res_units": 1}
    return {"_target_": "UNet", "spatial_dims": dims, "in_channels": 1, "out_channels": "@num_classes", **shape}


def segresnet(dims):
    shape = {"init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1], "dropout_prob": 0.1}
    return {"_target_": "SegResNet", "spatial_dims": dims, "in_channels": 1, "out_channels": "@num_classes", **shape}


NETWORKS = {"UNet in 2-D": (unet, 2), "SegResNet in 2-D": (segresnet, 2), "UNet in 3-D": (unet, 3)}
LOSSES = {
    "Dice and cross-entropy": {"_target_": "DiceCELoss", "to_onehot_y": True, "softmax": True},
    "Tversky": {"_target_": "TverskyLoss", "to_onehot_y": True, "softmax": True},
}


@pytest.mark.parametrize("what", NETWORKS)
def test_another_network_goes_all_the_way(trained, tmp_path, what):
    make, dims = NETWORKS[what]
    first = trained("hippocampus")
    settings = {"network_def": make(dims), "patch_size": PATCH[dims]}
    run = train_here("hippocampus", first.data, tmp_path / "run", first.cache, **settings)
    assert run.result.status == 0, run.result.err
    assert run.network["network_def"] == {**make(dims), "out_channels": 3}
    result = evaluate_here(run, run.folder / "eval", tta="false")
    assert result.status == 0, result.err
    scan = sorted((first.data / "imagesTr").glob("*.nii.gz"))[0]
    result = infer_here(run, scan, tmp_path / "labels")
    assert result.status == 0, result.err
    assert nib.load(tmp_path / "labels" / scan.name).shape == nib.load(scan).shape
    dist = tmp_path / "dist"
    bundle = config("hippocampus", "train").parents[1]
    assert main(["pack", str(bundle), "--checkpoint", str(run.folder), "--out", str(dist)]) == 0
    (packed,) = dist.glob("*.zip")
    content = json.loads(read_bundle(packed).contents["configs/train.json"])
    assert content["network_def"] == make(dims)
    assert main(["verify", str(packed)]) == 0
    assert main(["export", str(packed), "--out", str(tmp_path / "exported"), "--formats", "ts"]) == 0


@pytest.mark.parametrize("distance", ["precomputed", "on_the_fly"])
@pytest.mark.parametrize("what", LOSSES)
def test_another_loss_trains_with_either_distance(trained, tmp_path, what, distance):
    first = trained("acdc")
    settings = {"loss_function#loss": LOSSES[what], "distance": distance}
    run = train_here("acdc", first.data, tmp_path / "run", first.cache, **settings)
    assert run.result.status == 0, run.result.err
    record = json.loads((run.folder / "run.json").read_text())
    assert record["settings"]["loss_function#loss#_target_"] == LOSSES[what]["_target_"]


def test_an_overlay_may_bring_the_network(trained, tmp_path):
    first = trained("hippocampus")
    (tmp_path / "unet.json").write_text(json.dumps({"network_def": unet(2)}))
    run = train_here("hippocampus", first.data, tmp_path / "run", first.cache, tmp_path / "unet.json")
    assert run.result.status == 0, run.result.err
    assert ConfigParser(run.network).get_parsed_content("network_def").__class__.__name__ == "UNet"


def test_the_name_of_a_network_alone_is_refused_in_one_line(trained, tmp_path):
    first = trained("hippocampus")
    changes = {"network_def#_target_": "UNet"}
    run = train_here("hippocampus", first.data, tmp_path / "run", first.cache, **changes)
    assert "network_def: UNet takes no argument" in run.result.error
    assert not run.folder.exists()


@pytest.mark.parametrize("overlays", [(), ("spatial_2d",)])
def test_both_numbers_of_axes_run_with_their_own_values(trained, tmp_path, overlays):
    """Nothing of the network is said on the command line, and no network.json is given on."""
    first = trained("hippocampus")
    files = [config("hippocampus", name) for name in overlays]
    short = {"epochs": 1, "iterations_per_epoch": 1, "batch_size": 1, "num_workers": 0, "device": "cpu", "folds": 2}
    given = {**short, "dataset_dir": first.data, "output_dir": tmp_path / "run", "cache_dir": first.cache}
    result = run_here(*arguments("training", config("hippocampus", "train"), *files, **given))
    assert result.status == 0, result.err
    used = {"checkpoint": tmp_path / "run" / "model.pt", "device": "cpu"}
    given = {
        **used,
        "dataset_dir": first.data,
        "folds": 2,
        "num_workers": 0,
        "output_dir": tmp_path / "eval",
        "tta": False,
    }
    result = run_here(*arguments("evaluating", config("hippocampus", "evaluate"), *files, **given))
    assert result.status == 0, result.err
    scan = sorted((first.data / "imagesTr").glob("*.nii.gz"))[0]
    given = {**used, "input": scan, "output_dir": tmp_path / "labels"}
    result = run_here(*arguments("run", config("hippocampus", "inference"), *files, **given))
    assert result.status == 0, result.err
    assert (tmp_path / "labels" / scan.name).is_file()
