"""Packing: what is in the zip, that it repeats byte for byte, and everything that is refused."""

import io
import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.packaging.archive import read_bundle
from regionwise.packaging.pack import pack

from .packing import PATCH, SUMMARY, network_of, sha256, write_run, write_source


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "source")


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def test_packing_twice_gives_the_same_bytes(source, run, tmp_path):
    pack(str(source), str(run), str(tmp_path / "first"))
    shutil.copytree(source, tmp_path / "elsewhere" / "acdc_rrw")
    shutil.copytree(run, tmp_path / "another_run")
    torch.save(torch.load(run / "model.pt", weights_only=True), tmp_path / "another_run" / "model.pt")
    pack(str(tmp_path / "elsewhere" / "acdc_rrw"), str(tmp_path / "another_run"), str(tmp_path / "second"))
    first, second = (tmp_path / name / "acdc_rrw_v0.1.0.zip" for name in ("first", "second"))
    assert sha256(first) == sha256(second)


def test_the_weights_are_those_of_the_run_without_heads(source, run, tmp_path):
    plain = torch.load(run / "model.pt", weights_only=True)
    heads = {"deep_supervision_heads.0.conv.conv.weight": torch.ones(1), "skip_layers.super_head.x": torch.ones(1)}
    torch.save({"network": {f"module.{key}": value for key, value in (plain | heads).items()}}, run / "last.pt")
    pack(str(source), str(run / "last.pt"), str(tmp_path / "dist"))
    content = read_bundle(tmp_path / "dist" / "acdc_rrw_v0.1.0.zip").contents["models/model.pt"]
    packed = torch.load(io.BytesIO(content), weights_only=True)
    assert packed.keys() == plain.keys()
    assert all(torch.equal(packed[key], plain[key]) for key in plain)


def test_the_runs_network_is_written_into_every_config(packed_zip):
    contents = read_bundle(packed_zip).contents
    network = network_of()
    for name in ("train", "inference", "evaluate"):
        config = json.loads(contents[f"configs/{name}.json"])
        assert {key: config[key] for key in network} == network, name
        assert "filters" not in config
    image = json.loads(contents["configs/metadata.json"])["network_data_format"]["inputs"]["image"]
    assert image["spatial_shape"] == PATCH


def test_versions_are_exact_and_our_own_package_is_not_required(packed_zip):
    metadata = json.loads(read_bundle(packed_zip).contents["configs/metadata.json"])
    assert metadata["pytorch_version"] == version("torch").split("+")[0]
    assert metadata["monai_version"] == version("monai")
    assert metadata["numpy_version"] == version("numpy")
    required = metadata["required_packages_version"]
    assert {"nibabel", "pytorch-ignite", "fire", "scipy", "edt", "connected-components-3d"} <= required.keys()
    assert "regionwise" not in required
    assert required == {package: version(package).split("+")[0] for package in required}


def test_the_evaluation_is_in_the_model_card_and_the_metadata(packed_zip):
    contents = read_bundle(packed_zip).contents
    card = contents["docs/README.md"].decode()
    assert "| structure | n | Dice | HD (mm) |" in card
    assert "| RV | 2 | 0.750 ± 0.125 | 9.50 |" in card
    assert "| LV | 0 | - | - |" in card
    assert "patient017" not in card
    scores = json.loads(contents["configs/metadata.json"])["eval_metrics"]
    assert scores == {"RV": {"dice": 0.75, "hd_mm": 9.5, "n": 2}, "LV": {"n": 0}}


def test_the_package_travels_with_its_data_and_without_tests(packed_zip):
    package = {path for path in read_bundle(packed_zip).contents if path.startswith("regionwise/")}
    assert {"regionwise/__init__.py", "regionwise/maps.py", "regionwise/evaluation/report/report.html.j2"} <= package
    assert not any("test" in Path(path).name or path.endswith(".pyc") for path in package)


def test_without_an_evaluation_packing_is_refused_unless_forced(source, run, tmp_path, capsys):
    shutil.rmtree(run / "eval")
    arguments = ["pack", str(source), "--checkpoint", str(run), "--out", str(tmp_path / "dist")]
    assert main(arguments) == 1
    assert "expected the evaluation of these weights in" in capsys.readouterr().err
    assert not (tmp_path / "dist").exists()
    assert main([*arguments, "--force"]) == 0
    card = read_bundle(tmp_path / "dist" / "acdc_rrw_v0.1.0.zip").contents["docs/README.md"].decode()
    assert "## Evaluation of these weights\n\nNone was made." in card


def test_an_evaluation_that_was_named_must_exist_even_if_forced(source, run, tmp_path):
    with pytest.raises(InputError, match=r"found no summary.json"):
        pack(str(source), str(run), str(tmp_path / "dist"), evaluation=str(tmp_path / "none"), force=True)


def test_a_version_that_is_packed_already_is_not_replaced(source, run, tmp_path, capsys):
    dist = tmp_path / "dist"
    pack(str(source), str(run), str(dist))
    before = sha256(dist / "acdc_rrw_v0.1.0.zip")
    pack(str(source), str(run), str(dist))  # the same content again is no harm
    other = write_run(tmp_path / "other", seed=1)
    with pytest.raises(
        InputError, match=r"acdc_rrw_v0.1.0.zip exists with other content; raise the version in metadata"
    ):
        pack(str(source), str(other), str(dist))
    assert sha256(dist / "acdc_rrw_v0.1.0.zip") == before


def test_weights_of_another_network_are_refused(source, run, tmp_path):
    (run / "network.json").write_text(json.dumps(network_of(filters=[4, 8, 8, 16])))
    with pytest.raises(InputError, match=r"cannot pack these weights: the checkpoint .* weights differ in shape"):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_a_truncated_checkpoint_is_refused(source, run, tmp_path):
    (run / "model.pt").write_bytes((run / "model.pt").read_bytes()[:-500])
    with pytest.raises(InputError, match=r"model.pt is damaged|is not a readable checkpoint of tensors"):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_a_checkpoint_without_its_network_is_refused(source, run, tmp_path):
    (run / "network.json").unlink()
    with pytest.raises(InputError, match=r"expected network.json beside .*model.pt; the training writes it"):
        pack(str(source), str(run), str(tmp_path / "dist"))
    with pytest.raises(InputError, match=r"expected a checkpoint at .*, not found; train first"):
        pack(str(source), str(tmp_path / "nowhere"), str(tmp_path / "dist"))


@pytest.mark.parametrize(
    "path", ["/home/someone/ACDC", "/Users/someone/x", "/mnt/disk1/scans", "C:\\\\Users\\\\x", "/root/data"]
)
def test_a_path_of_a_machine_is_refused(path, source, run, tmp_path):
    config = source / "configs" / "train.json"
    config.write_text(config.read_text().replace('"dataset_dir": null', f'"dataset_dir": "{path}"'))
    with pytest.raises(
        InputError, match=r"configs/train.json, line [0-9]+, names a path of this machine: .*; remove it"
    ):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_the_runs_own_folder_is_a_path_of_this_machine(source, run, tmp_path):
    (source / "docs" / "notes.txt").write_text(f"trained in {run.resolve()}\n")
    with pytest.raises(InputError, match=r"docs/notes.txt, line 1, names a path of this machine"):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_a_path_of_a_manual_is_none_of_this_machine(source, run, tmp_path):
    with (source / "docs" / "README.md").open("a") as file:
        file.write("\n--dataset_dir /data/ACDC, https://example.org/home/user\n")
    pack(str(source), str(run), str(tmp_path / "dist"))


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii", "image.dcm", "slice.npy", "cases.xlsx"])
def test_files_that_may_be_scans_are_refused(name, source, run, tmp_path):
    (source / "docs" / name).write_bytes(b"voxels")
    with pytest.raises(InputError, match=f"docs/{name} may hold patient data: only text, pictures and models/model.pt"):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_dicom_without_a_suffix_is_refused(source, run, tmp_path):
    (source / "docs" / "IM0001").write_bytes(b" " * 128 + b"DICM" + b" " * 20)
    with pytest.raises(InputError, match=r"docs/IM0001 may hold patient data"):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_case_names_are_refused(source, run, tmp_path):
    with (source / "docs" / "README.md").open("a") as file:
        file.write("\nThe worst case is patient017_frame01.\n")
    with pytest.raises(InputError, match=r"docs/README.md names the case patient017_frame01; a bundle holds means"):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_what_is_no_bundle_is_named(source, run, tmp_path):
    (source / "LICENSE").unlink()
    with pytest.raises(InputError, match=r"expected a bundle in .*acdc_rrw, found no LICENSE"):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_the_changelog_must_know_the_version(source, run, tmp_path):
    metadata = source / "configs" / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"version": "0.1.0"', '"version": "0.2.0"', 1))
    with pytest.raises(InputError, match=r"the changelog says nothing of version 0.2.0"):
        pack(str(source), str(run), str(tmp_path / "dist"))


def test_training_starts_from_the_packed_weights_and_does_not_write_over_them(packed_folder):
    parser = ConfigParser()
    parser.read_config(str(packed_folder / "configs" / "train.json"))
    parser["bundle_root"] = str(packed_folder)
    network = parser.get_parsed_content("network")
    weights = torch.load(packed_folder / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in weights.items())
    assert parser.get_parsed_content("output_dir") == str(packed_folder / "finetuned")


EVIL = "$__import__('os').system('touch PWNED')"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            network_of(filters=[EVIL]),
            r"expected plain values in .*, found network_def#filters#0: \$__import__",
        ),
        (
            network_of(_target_="os.system"),
            r"network.json names network_def#_target_: os.system, which is not",
        ),
        (
            network_of() | {"patch_size": "%docs/x.json::a"},
            r"found patch_size: %docs",
        ),
        (network_of() | {"patch_size": "@imports"}, r"expected plain values in .*network.json"),
        (network_of(filters="many"), r"network.json describes no network"),
        (network_of(act_name={"_target_": "run_cmd"}), r"names network_def#act_name#_target_: run_cmd, which is not"),
        ({"network_def": {}}, r"expected the network \(network_def\) in .*network.json, not found"),
        ([], r"expected an object in .*network.json, found \[\]"),
        ("", r"expected an object in .*network.json"),
    ],
)
def test_a_network_that_is_no_plain_values_is_refused(content, message, source, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (run / "network.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        pack(str(source), str(run), str(tmp_path / "dist"))
    assert not (tmp_path / "PWNED").exists()
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", r"expected an object in .*summary.json, found \[\]"),
        ("{}", r"summary.json: 'n_cases' is a required property"),
        ("{", r"summary.json is not JSON"),
        (json.dumps(SUMMARY | {"classes": {"RV": {"n": 1}}}), r"summary.json: 'metrics' is a required property"),
    ],
)
def test_a_broken_summary_is_one_line(content, message, source, run, tmp_path):
    (run / "eval" / "summary.json").write_text(content)
    with pytest.raises(InputError, match=message):
        pack(str(source), str(run), str(tmp_path / "dist"))
