"""Missing modalities through the runner: train with dropout, segment with two of four files, the table of subsets."""

import csv
import json
import shutil

import nibabel as nib
import pytest

from .. import odd_scans
from .running import config, evaluate_here, train_here

OVERLAY = ("brats", "modalities")


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    data = trained("brats").data
    folder = tmp_path_factory.mktemp("modalities")
    return train_here("brats", data, folder / "run", trained("brats").cache, config("brats", "modalities_train"))


def test_training_with_dropout_records_the_network(run):
    assert run.result.status == 0, run.result.err
    network = json.loads((run.folder / "network.json").read_text())["network_def"]
    assert network["_target_"] == "regionwise.modalities.PresenceDynUNet"
    assert network["in_channels"] == 4


@pytest.mark.parametrize("missing", [("t1", "t1ce"), ("t2", "t1ce", "flair")])
def test_scans_of_which_modalities_are_missing_are_segmented(run, tmp_path, missing):
    source = sorted((run.data / "HGG").iterdir())[0]
    folder = tmp_path / source.name
    shutil.copytree(source, folder)
    for modality in missing:
        (folder / f"{source.name}_{modality}.nii.gz").unlink()
    settings = {"input": tmp_path, "run_id": "predicting", "tta": False}
    result = evaluate_here(run, tmp_path / "out", config(*OVERLAY), **settings)
    assert result.status == 0, result.err
    assert f"{source.name}: without {', '.join(missing)}" in result.err
    written = tmp_path / "out" / "predictions" / f"{source.name}.nii.gz"
    assert nib.load(written).shape == nib.load(sorted(source.iterdir())[0]).shape


def test_a_scan_that_cannot_be_segmented_is_named_and_the_others_segmented(run, tmp_path):
    folder = tmp_path / "scans"
    for source in sorted((run.data / "HGG").iterdir())[:2]:
        shutil.copytree(source, folder / source.name)
    bad, good = sorted(folder.iterdir())
    odd_scans.REFUSED["nan"](bad / f"{bad.name}_t1ce.nii.gz")
    settings = {"input": folder, "run_id": "predicting", "tta": False}
    result = evaluate_here(run, tmp_path / "out", config(*OVERLAY), **settings)
    assert result.error.startswith("1 of 2 scans were not segmented, first: expected finite voxels, found 1 NaN")
    assert [path.name for path in (tmp_path / "out").rglob("*.nii.gz")] == [f"{good.name}.nii.gz"]
    settings["input"] = good
    result = evaluate_here(run, tmp_path / "out", config(*OVERLAY), **settings)
    assert result.error.endswith("pass another --output_dir, or --overwrite true")
    assert evaluate_here(run, tmp_path / "out", config(*OVERLAY), **settings, overwrite=True).status == 0


def test_the_table_has_all_subsets_and_regions(run, tmp_path):
    result = evaluate_here(run, tmp_path, config(*OVERLAY), run_id="subsets", tta=False)
    assert result.status == 0, result.err
    with (tmp_path / "modality_subsets.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == 17
    assert list(table[0]) == ["modalities", "n", "WT", "TC", "ET", "mean"]
    assert [row["modalities"] for row in table[-2:]] == ["mean over subsets", "worst subset"]
    assert all(0 <= float(row["ET"]) <= 1 for row in table)
    assert len((tmp_path / "modality_subsets_cases.csv").read_text().splitlines()) == 1 + 2 * 15 * 3
    assert "t2+t1+t1ce+flair" in result.out


def test_the_other_network_trains_and_finds_its_weights(run, tmp_path):
    hemis = {"network_def#_target_": "regionwise.modalities.HemisDynUNet"}
    other = train_here("brats", run.data, tmp_path / "run", run.cache, config("brats", "modalities_train"), **hemis)
    assert other.result.status == 0, other.result.err
    scan = sorted((run.data / "HGG").glob("*/*_flair.nii.gz"))[0]
    result = evaluate_here(other, tmp_path / "out", config(*OVERLAY), run_id="predicting", input=scan)
    assert result.status == 0, result.err


def test_a_folder_without_modalities_is_one_line(run, tmp_path):
    (tmp_path / "case_pd.nii.gz").write_bytes(b"x")
    result = evaluate_here(run, tmp_path / "out", config(*OVERLAY), run_id="predicting", input=tmp_path)
    assert result.error.startswith("expected files that end in _t2.nii.gz, ")
