"""A packed bundle with plain MONAI: no regionwise but the bundle's own, no PYTHONPATH, any working directory."""

import json
import os
import subprocess
import sys
import sysconfig

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow, load
from regionwise.packaging.archive import read_bundle

from .. import odd_scans
from ..packaging.packing import BUNDLES, change_json, pack_tiny, repack, unpack, write_scan

# -S leaves out .pth files, and with them the editable installation of regionwise; the packages are there all the same.
ISOLATED = f"""
import importlib.util, runpy, sys
sys.path.append({sysconfig.get_paths()["purelib"]!r})
assert importlib.util.find_spec("regionwise") is None, "regionwise can be imported"
"""
RUNNER = ISOLATED + "runpy.run_module('monai.bundle', run_name='__main__', alter_sys=True)\n"


def run_isolated(code, cwd, *arguments):
    """Run Python code where only the installed packages can be imported."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-S", "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def acdc_zip(tmp_path_factory):
    return pack_tiny(tmp_path_factory.mktemp("acdc"))


@pytest.fixture(scope="module")
def kits_zip(tmp_path_factory):
    return pack_tiny(tmp_path_factory.mktemp("kits"), "kits_rrw", seed=1)


def expected_labels(name, zip_file, scan, out):
    """Return what inference.json of the working tree gives with the same weights."""
    run = zip_file.parents[1] / "run"
    config = str(BUNDLES / name / "configs" / "inference.json")
    network = json.loads((run / "network.json").read_text())
    workflow = ConfigWorkflow(
        config, workflow_type="infer", input=str(scan), output_dir=str(out), checkpoint=str(run / "model.pt"), **network
    )
    workflow.initialize()
    workflow.run()
    return read_labels(out / scan.name)


def read_labels(path):
    image = nib.load(path)
    return np.asanyarray(image.dataobj), image.affine


def assert_same(found, expected):
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-5)
    assert len(np.unique(expected[0])) > 1, "the test says something only if there is more than background"


def test_plain_monai_gives_the_voxels_of_the_working_tree(acdc_zip, tmp_path):
    unpack(acdc_zip, tmp_path / "bundles")
    scan = write_scan(tmp_path / "scan.nii.gz")
    empty = tmp_path / "empty"
    empty.mkdir()
    config = "../bundles/acdc_rrw/configs/inference.json"
    result = run_isolated(RUNNER, empty, "run", "--config_file", config, "--input", scan, "--output_dir", "out")
    assert result.returncode == 0, result.stderr
    assert_same(read_labels(empty / "out" / "scan.nii.gz"), expected_labels("acdc_rrw", acdc_zip, scan, tmp_path / "w"))
    assert sorted(path.name for path in empty.iterdir()) == ["out"]


def test_plain_monai_refuses_what_cannot_be_segmented_and_segments_the_rest(acdc_zip, tmp_path):
    root, scans = unpack(acdc_zip, tmp_path / "bundles"), tmp_path / "scans"
    scans.mkdir()
    refused = ("nan", "wrong_checksum", "four_axes", "affine_sheared", "text")
    for name in refused:
        odd_scans.REFUSED[name](scans / f"{name}.nii.gz")
    write_scan(scans / "one_slice.nii.gz", shape=(40, 36, 1))
    config = ("--config_file", root / "configs" / "inference.json", "--input", scans)
    result = run_isolated(RUNNER, tmp_path, "run", *config, "--output_dir", "out")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("error: 5 of 6 scans were not segmented, first: "), result.stderr
    assert sum(line.startswith("not segmented: ") for line in lines) == len(refused)
    assert "Traceback" not in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one_slice.nii.gz"]
    assert nib.load(tmp_path / "out" / "one_slice.nii.gz").shape == (40, 36, 1)
    result = run_isolated(RUNNER, tmp_path, "run", *config, "--output_dir", scans)
    assert result.stderr.splitlines()[-1].startswith("error: the label map would overwrite the scan "), result.stderr


PROPERTIES = (
    ISOLATED
    + """
from monai.bundle import ConfigWorkflow
workflow = ConfigWorkflow(sys.argv[1] + "/configs/inference.json", workflow_type="infer", bundle_root=sys.argv[1])
workflow.initialize()
assert workflow.check_properties() == []
assert workflow.evaluator.run is not None
assert "regionwise" not in sys.modules
"""
)


def test_the_parts_can_be_made_without_the_guard(acdc_zip, tmp_path):
    """As clients do that run the parts themselves, before there is any scan."""
    result = run_isolated(PROPERTIES, tmp_path, unpack(acdc_zip, tmp_path))
    assert result.returncode == 0, result.stderr


TWO_BUNDLES = (
    ISOLATED
    + """
from monai.bundle import create_workflow
scan, out, *roots = sys.argv[1:]
for root in roots:
    name = root.rpartition("/")[2]
    config = root + "/configs/inference.json"
    create_workflow(config_file=config, workflow_type="infer", input=scan, output_dir=f"{out}/{name}").run()
assert sys.modules["regionwise"].__file__.startswith(roots[0])
"""
)


def test_two_packed_bundles_run_in_one_process(acdc_zip, kits_zip, tmp_path):
    roots = [unpack(file, tmp_path / "bundles") for file in (acdc_zip, kits_zip)]
    scan = write_scan(tmp_path / "scan.nii.gz", shape=(6, 36, 5))
    result = run_isolated(TWO_BUNDLES, tmp_path, scan, tmp_path / "out", *roots)
    assert result.returncode == 0, result.stderr
    for name, file in {"acdc_rrw": acdc_zip, "kits_rrw": kits_zip}.items():
        expected = expected_labels(name, file, scan, tmp_path / "expected" / name)
        assert_same(read_labels(tmp_path / "out" / name / "scan.nii.gz"), expected)


SET_UP = (
    ISOLATED
    + """
from monai.bundle import ConfigWorkflow
for root in sys.argv[1:]:
    workflow = ConfigWorkflow(root + "/configs/train.json", run="@set_up", dataset_dir="none")
    workflow.initialize()
    workflow.run()
    print("ready", workflow.parser.get_parsed_content("bundle_root"), "with", sys.modules["regionwise"].__file__)
"""
)


def test_the_same_code_serves_two_trainings_in_one_process_and_other_code_is_refused(acdc_zip, kits_zip, tmp_path):
    changed = {"regionwise/maps.py": read_bundle(kits_zip).contents["regionwise/maps.py"] + b"\nCHANGED = True\n"}
    changed = repack(kits_zip, tmp_path / "kits_rrw_v0.zip", changed)
    changed = change_json(changed, tmp_path / "kits_rrw_v1.zip", "configs/train.json", set_up=set_up_with("0" * 64))
    acdc, kits = (unpack(file, tmp_path / "bundles") for file in (acdc_zip, kits_zip))
    other = unpack(changed, tmp_path / "others")
    result = run_isolated(SET_UP, tmp_path, acdc, kits, other)
    assert result.returncode == 1
    ready = [line for line in result.stdout.splitlines() if line.startswith("ready")]
    assert ready == [f"ready {root} with {acdc}/regionwise/__init__.py" for root in (acdc, kits)]
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"error: the bundle in {other} was packed with another version of regionwise"), result.stderr
    assert f"imported from {acdc}; run it in a process of its own" in line


def set_up_with(digest):
    target = "regionwise.bundle.packed.require_own_code"
    return [{"_target_": target, "bundle_root": "@bundle_root", "digest": digest}]


def test_the_packed_network_loads_with_monai(acdc_zip, tmp_path):
    folder = unpack(acdc_zip, tmp_path)
    network = load("acdc_rrw", bundle_dir=str(tmp_path), workflow_type="inference", device="cpu")
    weights = torch.load(folder / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in weights.items())


def test_properties_are_there_and_the_root_can_be_said(acdc_zip, tmp_path, monkeypatch):
    folder = unpack(acdc_zip, tmp_path)
    monkeypatch.chdir(tmp_path)
    config = str(folder / "configs" / "inference.json")
    workflow = ConfigWorkflow(config, workflow_type="infer", bundle_root=str(folder))
    workflow.initialize()
    assert workflow.check_properties() == []
    assert workflow.parser.get_parsed_content("checkpoint") == f"{folder}/models/model.pt"
    assert workflow.version == "0.1.0"


def test_a_wrong_dataset_is_one_line_from_any_folder(acdc_zip, tmp_path):
    folder = unpack(acdc_zip, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = ("--config_file", folder / "configs" / "train.json", "--dataset_dir", "nowhere", "--epochs", "1")
    result = run_isolated(RUNNER, empty, "run", "training", *arguments)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: expected ACDC in nowhere"), result.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in BUNDLES.iterdir() if path.name.endswith("_rrw")))
def test_every_bundle_of_the_repository_packs(name, tmp_path):
    assert read_bundle(pack_tiny(tmp_path, name)).name == name
