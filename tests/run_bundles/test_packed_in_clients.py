"""A packed bundle in tools that load bundles, which are not installed here: each test repeats what the tool does."""

import json

import monai
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from ..packaging.packing import pack_tiny, read_bundle, repack, unpack, write_scan
from .test_packed_bundle import expected_labels


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return pack_tiny(tmp_path_factory.mktemp("acdc"))


def test_the_operator_of_monai_deploy_gives_the_voxels_of_inference_json(packed, tmp_path):
    """As `MonaiBundleInferenceOperator` does: an array with metadata in, no LoadImage, no SaveImage."""
    root = unpack(packed, tmp_path / "app")
    scan = write_scan(tmp_path / "scan.nii.gz")
    expected, _ = expected_labels("acdc_rrw", packed, scan, tmp_path / "expected")
    parser = ConfigParser()
    parser.read_meta(str(root / "configs" / "metadata.json"))
    parser.read_config([str(root / "configs" / "inference.json")])
    parser.parse()
    before, after = (parser.get_parsed_content(name) for name in ("preprocessing", "postprocessing"))
    for compose, left_out in ((before, ("LoadImage", "SaveImage")), (after, ("SaveImage",))):
        kept = [one for one in compose.transforms if not any(name in type(one).__name__ for name in left_out)]
        compose.transforms = tuple(kept)
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(root / "models" / "model.pt", weights_only=True), strict=True)
    image = nib.load(scan)
    meta = {"affine": image.affine, "original_affine": image.affine, "original_channel_dim": "no_channel"}
    volume = torch.as_tensor(np.asarray(image.dataobj, dtype=np.float32))
    inputs = before({"image": MetaTensor.ensure_torch_and_prune_meta(volume, meta)})
    with torch.no_grad():
        logits = parser.get_parsed_content("inferer")(inputs=inputs["image"][None], network=network.eval())
    labels = after({"pred": logits[0], "image": inputs["image"]})["pred"]
    np.testing.assert_array_equal(labels[0].numpy().astype(np.uint8), expected)
    assert len(np.unique(expected)) > 1


@pytest.mark.slow
def test_monai_label_trains_and_finds_the_weights(packed, tmp_path, monkeypatch):
    """As `BundleTrainTask` of MONAI Label 0.8.5 does: items without names, the checkpoint as a handler, id "run"."""
    train = json.loads(read_bundle(packed).contents["configs/train.json"])
    seconds = {"iterations_per_epoch": 1, "batch_size": 2, "num_workers": 0}
    small = repack(packed, tmp_path / "small.zip", {"configs/train.json": json.dumps(train | seconds).encode()})
    root = unpack(small.rename(tmp_path / packed.name), tmp_path / "model")
    before = (root / "models" / "model.pt").read_bytes()
    data = [labeled_scan(tmp_path / f"case{number}", number) for number in range(3)]
    monkeypatch.syspath_prepend(str(root))
    config = ConfigParser.load_config_file(str(root / "configs" / "train.json"))
    loader = {"_target_": "CheckpointLoader", "load_path": str(root / "models" / "model.pt"), "strict": False}
    overrides = {
        "bundle_root": str(root),
        "train#trainer#max_epochs": 1,
        "train#dataset#data": data[:2],
        "validate#dataset#data": data[2:],
        "device": "cpu",
        "train#handlers": [loader | {"load_dict": {"model": "$@network"}}, *config["train"]["handlers"]],
    }
    files = {key: str(root / "configs" / f"{name}.json") for key, name in (("meta", "metadata"), ("config", "train"))}
    monai.bundle.run(
        run_id="run", init_id=None, final_id=None, meta_file=files["meta"], config_file=files["config"], **overrides
    )
    weights = torch.load(root / "models" / "model.pt", weights_only=True)
    assert (root / "models" / "model_packed.pt").read_bytes() == before
    assert (root / "models" / "model.pt").read_bytes() == (root / "finetuned" / "model.pt").read_bytes()
    network = ConfigParser.load_config_file(str(root / "configs" / "inference.json"))["network_def"]
    ConfigParser({"network_def": network}).get_parsed_content("network_def").load_state_dict(weights, strict=True)


def labeled_scan(stem, seed):
    """Write a scan and its labels in ACDC's classes, and return an item of a plain datalist."""
    generator = np.random.default_rng(seed)
    labels = np.zeros((40, 36, 4), dtype=np.uint8)
    labels[8:16, 8:28], labels[16:24, 8:28], labels[24:32, 8:28] = 1, 2, 3
    image = labels * 50 + generator.normal(100, 5, labels.shape)
    affine = np.diag([-1.4, -1.4, 8.0, 1.0])
    files = {"image": f"{stem}.nii.gz", "label": f"{stem}_label.nii.gz"}
    nib.save(nib.Nifti1Image(image.astype(np.float32), affine), files["image"])
    nib.save(nib.Nifti1Image(labels, affine), files["label"])
    return files
