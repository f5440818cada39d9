"""Verification: a good bundle passes all checks; of a bad one nothing is run."""

import io
import json
import pickle
import shutil
from pathlib import Path

import nibabel as nib
import pytest
import torch
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.packaging import checks, trial_run
from regionwise.packaging.archive import read_bundle
from regionwise.packaging.trial_run import (
    _environment,
    check_chain,
    check_inference,
    check_orientation,
    write_scan,
)
from regionwise.packaging.verify import verify

from . import hostile
from .packing import change_json, network_of, repack

METADATA = "configs/metadata.json"


def test_a_packed_bundle_passes_every_check(packed_zip, capfd):
    assert main(["verify", str(packed_zip)]) == 0
    lines = capfd.readouterr().out.splitlines()
    passed = [line.split()[0] for line in lines if line.split()[1] == "ok"]
    assert passed == [
        "checksums", "layout", "metadata", "versions", "weights", "code",
        "properties", "network", "export", "inference", "chain", "orientation",
    ]  # fmt: skip
    assert any("its copy of regionwise is the code that checks it" in line for line in lines)


def newer_schema(file, target):
    return change_json(file, target, METADATA, schema="https://example.org/meta_schema_20991231.json")


def newer_monai(file, target):
    return change_json(file, target, METADATA, monai_version="99.0.0")


def newer_package(file, target):
    return change_json(file, target, METADATA, required_packages_version={"nibabel": "99.0"})


def missing_package(file, target):
    return change_json(file, target, METADATA, required_packages_version={"no-such-package": "1.0"})


def missing_key(file, target):
    metadata = json.loads(read_bundle(file).contents[METADATA])
    del metadata["task"]
    return repack(file, target, {METADATA: json.dumps(metadata).encode()})


def other_version(file, target):
    return change_json(file, target, METADATA, version="0.2.0")


def no_changelog(file, target):
    return change_json(file, target, METADATA, changelog={"0.0.9": "before"})


def truncated_weights(file, target):
    return repack(file, target, {"models/model.pt": read_bundle(file).contents["models/model.pt"][:-300]})


class Evil:
    """Touches a file when it is unpickled."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


def pickled_weights(file, target):
    stream = io.BytesIO()
    torch.save({"a": Evil()}, stream)
    return repack(file, target, {"models/model.pt": stream.getvalue()})


def plain_pickle(file, target):
    return repack(file, target, {"models/model.pt": pickle.dumps(Evil())})


def broken_weights(file, target):
    stream = io.BytesIO()
    torch.save({"a": torch.tensor([float("nan")])}, stream)
    return repack(file, target, {"models/model.pt": stream.getvalue()})


def no_license(file, target):
    return repack(file, target, {"LICENSE": None})


def needs_us(file, target):
    return change_json(file, target, "configs/inference.json", handlers=[{"_target_": "regionwise.training.Progress"}])


def no_guard(file, target):
    return repack(file, target, {"regionwise/guard.py": None})


BAD = {
    "metadata.json follows the schema https://example.org/meta_schema_20991231.json, known is meta_": newer_schema,
    "the bundle was packed with monai 99.0.0, which is newer than the installed": newer_monai,
    "the bundle was packed with nibabel 99.0, which is newer than the installed": newer_package,
    "the bundle needs no-such-package 1.0, which is not installed": missing_package,
    "metadata.json: 'task' is a required property": missing_key,
    "metadata.json says version 0.2.0, the checksums are of 0.1.0": other_version,
    "metadata.json: the changelog says nothing of version 0.1.0": no_changelog,
    "models/model.pt is not a readable checkpoint of tensors (": truncated_weights,
    "models/model.pt is not a readable checkpoint of tensors (Weights only load failed": pickled_weights,
    "models/model.pt is not a readable checkpoint of tensors (Weights only": plain_pickle,
    "models/model.pt: a is not finite": broken_weights,
    "the bundle has no LICENSE": no_license,
    "configs/inference.json names regionwise.training.Progress; inference must run with plain MONAI": needs_us,
    "configs/inference.json names regionwise.guard.segment_scans, but the bundle has no regionwise/guard.py": no_guard,
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_bundle_is_one_line_and_nothing_is_run(message, packed_zip, tmp_path, monkeypatch, capsys):
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    bad = BAD[message](packed_zip, tmp_path / "bad.zip")
    assert verify(str(bad)) == 1
    lines = capsys.readouterr().out.splitlines()
    failed = [line for line in lines if line.split()[1] == "failed"]
    assert len(failed) == 1
    assert message in failed[0]
    assert lines[-1] == "nothing was run"
    assert list(inside.iterdir()) == []


@pytest.mark.slow
def test_listed_code_runs_only_on_request(packed_zip, tmp_path, capfd):
    evil = hostile.listed()["import alias of a call"][0](packed_zip, tmp_path / "evil.zip")
    hostile.MARK.unlink(missing_ok=True)
    try:
        verify(str(evil))
        assert not hostile.MARK.exists()
        verify(str(evil), execute="true")
        assert hostile.MARK.exists(), capfd.readouterr().out
    finally:
        hostile.MARK.unlink(missing_ok=True)


def test_the_trial_gets_no_token_of_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    environment = _environment(tmp_path)
    assert "SECRET_TOKEN" not in environment
    assert environment["HOME"] == str(tmp_path)


def test_a_step_that_fails_is_named(packed_zip, tmp_path, capfd):
    network = network_of(in_channels=3)["network_def"]
    changed = change_json(packed_zip, tmp_path / "changed.zip", "configs/inference.json", network_def=network)
    assert verify(str(changed)) == 1
    lines = {line.split()[0]: line for line in capfd.readouterr().out.splitlines()}
    assert "ok" in lines["properties"]
    assert "failed" in lines["network"]
    assert "not reached" in lines["inference"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"nonzero": true', '"nonzero": false', "inference.json prepares a scan in another way than evaluate.json"),
        (
            '"roi_size": "@patch_size"',
            '"roi_size": [16, 16]',
            "inference.json gives other logits than evaluate",
        ),
        ("{", "{", ""),
    ],
)
def test_a_chain_that_differs_from_the_evaluations_is_found(old, new, message, packed_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_scan(Path("scan"), 1, None)
    file = packed_folder / "configs" / "inference.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    if message:
        with pytest.raises(InputError, match=message):
            check_chain(packed_folder)
    else:
        told = check_chain(packed_folder)
        assert told.startswith("prepares 9216 voxels as evaluate.json does")
        assert told.endswith("labels in 0.00% of the voxels")


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_labels_of_a_mirrored_scan_have_to_lie_on_its_voxels(packed_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_inference(packed_folder)
    assert check_orientation(packed_folder).startswith("labels of a scan stored mirrored lie on its voxels; other lab")
    shutil.rmtree("mirrored")
    shutil.rmtree("out_mirrored")
    monkeypatch.setattr(trial_run, "_written", lambda folder: nib.load(Path("out") / "scan.nii.gz"))
    with pytest.raises(InputError, match="the labels of a scan that is stored mirrored do not lie on its voxels"):
        check_orientation(packed_folder)


def test_an_older_package_is_said(packed_zip, tmp_path):
    older = change_json(packed_zip, tmp_path / "older.zip", METADATA, numpy_version="1.20.0")
    assert "newer than packed: numpy" in checks.check_versions(read_bundle(older))


def test_another_copy_of_the_package_is_said(packed_zip, tmp_path):
    edited = repack(packed_zip, tmp_path / "edited.zip", {"regionwise/maps.py": b"import os\n"})
    assert "is not the code that checks it; read it" in checks.describe_package(read_bundle(edited))
