"""The steps by which MONAI Label's `monaibundle` app loads and runs a bundle, on a packed bundle.

MONAI Label itself is no dependency: these tests follow the order in which its `BundleInferTask` and `BasicInferTask`
read ids of the configuration, none of which may need regionwise.
"""

import json
import sys

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.inferers import Inferer
from monai.transforms import Compose, LoadImaged, SaveImaged

from ..packaging.packing import pack_tiny, unpack, write_scan
from .test_packed_bundle import expected_labels


@pytest.fixture(scope="module", params=["acdc_rrw", "kits_rrw"])
def packed(request, tmp_path_factory):
    return pack_tiny(tmp_path_factory.mktemp(request.param), request.param)


def load_config(root):
    """Read inference.json and set the bundle's root, as the app does for the bundle in its `model` folder."""
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "inference.json"))
    parser.config.update({"bundle_root": str(root)})
    return parser


def test_the_app_gets_the_voxels_of_inference_json(packed, tmp_path, monkeypatch):
    root = unpack(packed, tmp_path / "app" / "model")
    scan = write_scan(tmp_path / "scan.nii.gz", shape=(6, 36, 5))
    expected, affine = expected_labels(root.name, packed, scan, tmp_path / "expected")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    parser = load_config(root)
    network = parser.get_parsed_content("network_def", instantiate=True)
    network.load_state_dict(torch.load(root / "models" / "model.pt", weights_only=True), strict=True)
    network.eval()
    before = parser.get_parsed_content("preprocessing", instantiate=True)
    inferer = parser.get_parsed_content("inferer", instantiate=True)
    after = parser.get_parsed_content("postprocessing", instantiate=True)
    assert isinstance(before, Compose)
    assert isinstance(before.transforms[0], LoadImaged)
    assert isinstance(inferer, Inferer)
    kept = [transform for transform in after.transforms if not isinstance(transform, SaveImaged)]
    assert len(kept) == len(after.transforms) - 1, "the app saves the labels itself"

    data = {"image": str(scan)}
    for transform in before.transforms:
        data = transform(data)
    with torch.no_grad():
        data["pred"] = inferer(data["image"][None], network)[0]
    for transform in kept:
        data = transform(data)
    np.testing.assert_array_equal(data["pred"][0].numpy().astype(np.uint8), expected)
    np.testing.assert_allclose(data["pred"].affine.numpy(), affine, atol=1e-5)
    assert len(np.unique(expected)) > 1


def test_the_app_finds_its_labels_and_the_dimension(packed, tmp_path):
    root = unpack(packed, tmp_path)
    metadata = json.loads((root / "configs" / "metadata.json").read_text())
    formats = metadata["network_data_format"]
    assert next(iter(formats["inputs"])) == "image"
    name, prediction = next(iter(formats["outputs"].items()))
    assert name == "pred"
    labels = {text: int(number) for number, text in prediction["channel_def"].items() if text != "background"}
    assert sorted(labels.values()) == list(range(1, prediction["num_channels"]))
    assert len(formats["inputs"]["image"]["spatial_shape"]) == 2


def test_the_device_can_be_replaced_after_parsing(packed, tmp_path):
    parser = load_config(unpack(packed, tmp_path))
    parser.get_parsed_content("network_def", instantiate=True)
    parser.config.update({"device": "cpu"})
    assert parser.get_parsed_content("network", instantiate=True) is not None


def test_monai_label_itself_gives_the_voxels_of_inference_json(tmp_path):
    """Run where MONAI Label is installed; kits_rrw, because Spacingd of MONAI 1.6.1 fails on its key `image_path`."""
    label = pytest.importorskip("monailabel.tasks.infer.bundle", exc_type=ImportError)
    file = pack_tiny(tmp_path, "kits_rrw")
    root = unpack(file, tmp_path / "model")
    scan = write_scan(tmp_path / "scan.nii.gz", shape=(6, 36, 5))
    expected, affine = expected_labels("kits_rrw", file, scan, tmp_path / "expected")
    task = label.BundleInferTask(str(root), conf={})
    assert task.is_valid()
    assert sorted(task.labels.values()) == [1, 2]
    request = {"image": str(scan), "device": "cpu", "model": "kits_rrw", "model_filename": "model.pt"}
    found = nib.load(task({**request, "result_extension": ".nii.gz"})[0])
    np.testing.assert_array_equal(np.asanyarray(found.dataobj), expected)
    np.testing.assert_allclose(found.affine, affine, atol=1e-4)
