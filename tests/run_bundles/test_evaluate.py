"""Judging a short training of each bundle on its phantom."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
from regionwise.datasets import datalist
from regionwise.nifti import read_labels
from scipy.ndimage import label as components

from .running import (
    BUNDLES,
    DATASETS,
    arguments,
    config,
    evaluate_here,
    evaluation_overrides,
    half_written,
    run_process,
    train_here,
)

CLASSES = {
    "acdc": {"RV", "myocardium", "LV"},
    "brats": {"necrotic core", "edema", "enhancing tumor", "WT", "TC", "ET"},
    "kits": {"kidney", "tumor"},
    "hippocampus": {"anterior", "posterior"},
}

WITHOUT_REPORT = {"run": "['$@evaluator.run()']"}


def rows_of(out):
    with (out / "cases.csv").open() as file:
        return list(csv.DictReader(file))


def validation_cases(run):
    split = {"fold": 0, "folds": 2} if run.bundle == "hippocampus" else {}
    return datalist(DATASETS[run.bundle], run.data, "val", **split)


def assert_fits(prediction, scan, classes):
    predicted, image = nib.load(prediction), nib.load(scan)
    assert predicted.shape == image.shape
    assert np.array_equal(predicted.affine, image.affine)
    for code in ("sform_code", "qform_code"):
        assert predicted.header[code] == image.header[code]
    assert predicted.get_data_dtype() == np.uint8
    assert set(np.unique(np.asanyarray(predicted.dataobj))) <= set(range(classes + 1))


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory):
    """Return a function that gives the folder of a bundle's evaluation with its default settings."""
    folders = {}

    def get(bundle):
        if bundle not in folders:
            folders[bundle] = tmp_path_factory.mktemp(f"evaluated_{bundle}")
            result = evaluate_here(trained(bundle), folders[bundle])
            assert result.status == 0, result.err
        return folders[bundle]

    return get


def predictions(out):
    """Return the predicted labels of all cases in one row."""
    paths = sorted((out / "predictions").iterdir())
    return np.concatenate([read_labels(path).array.ravel() for path in paths])


@pytest.mark.parametrize("bundle", BUNDLES)
def test_each_validation_case_is_segmented_in_its_space_and_evaluated(trained, evaluated, bundle):
    out, cases = evaluated(bundle), validation_cases(trained(bundle))
    assert {path.name for path in (out / "predictions").iterdir()} == {f"{c['case_id']}.nii.gz" for c in cases}
    for case in cases:
        scan = case["image"] if isinstance(case["image"], str) else case["image"][0]
        assert_fits(out / "predictions" / f"{case['case_id']}.nii.gz", scan, len(CLASSES[bundle]))
    rows = rows_of(out)
    assert {row["structure"] for row in rows} == CLASSES[bundle]
    assert len(rows) == len(cases) * len(CLASSES[bundle])
    summary = json.loads((out / "summary.json").read_text())
    assert summary["n_cases"] == len(cases)
    assert (out / "report.html").is_file()
    assert half_written(out) == []


def test_the_groups_of_the_heart_are_its_phases(evaluated):
    groups = {(row["case"], row["group"]) for row in rows_of(evaluated("acdc"))}
    assert ("patient001_frame01", "ED") in groups
    assert {group for _, group in groups} == {"ED", "ES"}


def test_the_dice_is_that_of_the_files(trained, evaluated):
    out = evaluated("kits")
    for row in rows_of(out):
        case = next(case for case in validation_cases(trained("kits")) if case["case_id"] == row["case"])
        label = {"kidney": 1, "tumor": 2}[row["structure"]]
        predicted = read_labels(out / "predictions" / f"{row['case']}.nii.gz").array == label
        reference = read_labels(case["label"]).array == label
        both = 2 * np.count_nonzero(predicted & reference)
        assert float(row["dice"]) == pytest.approx(both / (predicted.sum() + reference.sum()), abs=1e-6)


def test_probabilities_are_written_on_request_and_agree_with_the_labels(trained, tmp_path):
    run = trained("acdc")
    result = evaluate_here(run, tmp_path, save_probabilities="true", **WITHOUT_REPORT)
    assert result.status == 0, result.err
    for path in (tmp_path / "probabilities").iterdir():
        probabilities = nib.load(path).get_fdata(dtype=np.float32)
        assert probabilities.shape[-1] == 4
        assert np.allclose(probabilities.sum(-1), 1, atol=1e-4)
        labels = read_labels(tmp_path / "predictions" / path.name).array
        assert np.array_equal(probabilities.argmax(-1), labels)


def test_mirroring_changes_the_prediction_and_an_ensemble_of_one_twice_does_not(trained, evaluated, tmp_path):
    run = trained("hippocampus")
    files = f"['{run.folder / 'model.pt'}','{run.folder / 'model_last.pt'}']"
    assert evaluate_here(run, tmp_path / "plain", tta="false", **WITHOUT_REPORT).status == 0
    assert evaluate_here(run, tmp_path / "twice", checkpoint=files, **WITHOUT_REPORT).status == 0
    mirrored = predictions(evaluated("hippocampus"))
    assert np.array_equal(mirrored, predictions(tmp_path / "twice"))
    assert not np.array_equal(mirrored, predictions(tmp_path / "plain"))


def test_an_ensemble_with_a_member_that_does_not_load_fails(trained, tmp_path):
    run = trained("hippocampus")
    files = f"['{run.folder / 'model.pt'}','{tmp_path / 'second.pt'}']"
    assert "expected a checkpoint at" in evaluate_here(run, tmp_path / "out", checkpoint=files).error
    assert not (tmp_path / "out").exists()


def test_the_largest_component_is_a_setting(trained, tmp_path):
    run = trained("acdc")
    assert evaluate_here(run, tmp_path, largest_component="[1,2,3]", **WITHOUT_REPORT).status == 0
    several = 0
    for path in (tmp_path / "predictions").iterdir():
        labels = read_labels(path).array
        assert all(components(labels == c, np.ones((3, 3, 3)))[1] <= 1 for c in (1, 2, 3))
        several += len(np.unique(labels)) > 1
    assert several


def test_an_unknown_protocol_is_refused(trained, tmp_path):
    result = evaluate_here(trained("kits"), tmp_path / "out", protocol="papre")
    assert result.error == "expected --protocol to be one of full, paper, found 'papre'"
    assert not (tmp_path / "out").exists()


def test_the_papers_protocol_counts_labeled_slices_only(trained, tmp_path):
    run = trained("kits")
    assert evaluate_here(run, tmp_path, protocol="paper").status == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["protocol"]["name"] == "paper"
    row = next(row for row in rows_of(tmp_path) if row["structure"] == "kidney")
    case = next(case for case in validation_cases(run) if case["case_id"] == row["case"])
    reference = read_labels(case["label"]).array
    kept = reference.any(axis=(1, 2))
    predicted = read_labels(tmp_path / "predictions" / f"{row['case']}.nii.gz").array[kept] == 1
    reference = reference[kept] == 1
    expected = 2 * np.count_nonzero(predicted & reference) / (predicted.sum() + reference.sum())
    assert float(row["dice"]) == pytest.approx(expected, abs=1e-6)


def test_a_3d_network_is_evaluated_with_its_own_settings(trained, tmp_path):
    run = trained("hippocampus")
    settings = {"patch_size": [32, 48, 32], "batch_size": 1, "iterations_per_epoch": 1}
    volume = train_here("hippocampus", run.data, tmp_path / "run", run.cache, **settings)
    assert volume.result.status == 0, volume.result.err
    result = evaluate_here(volume, tmp_path / "out", tta="false", **WITHOUT_REPORT)
    assert result.status == 0, result.err
    assert len(predictions(tmp_path / "out"))
    other = evaluate_here(run, tmp_path / "other", checkpoint=volume.folder / "model.pt")
    assert "does not fit the network" in other.error


def test_the_cases_of_the_training_can_be_evaluated_too(trained, tmp_path):
    assert evaluate_here(trained("hippocampus"), tmp_path, section="all", **WITHOUT_REPORT).status == 0
    names = {path.name for path in (tmp_path / "predictions").iterdir()}
    assert names == {f"hippocampus_00{number}.nii.gz" for number in range(1, 5)}


def test_the_command_in_a_process_of_its_own_from_the_bundles_folder(trained, tmp_path):
    run = trained("acdc")
    given = evaluation_overrides(
        "acdc",
        dataset_dir=run.data,
        output_dir=tmp_path,
        checkpoint=run.folder / "model.pt",
        args_file=run.folder / "network.json",
    )
    folder = config("acdc", "evaluate").parents[1]
    result = run_process(*arguments("evaluating", "configs/evaluate.json", **given), cwd=folder)
    assert result.status == 0, result.err
    assert "Traceback" not in result.err
    assert "report: " in result.out and "Dice" in result.out
    assert {path.name for path in tmp_path.iterdir()} >= {"cases.csv", "summary.json", "report.html", "predictions"}


def test_real_hearts_say_what_they_lack(real_data, trained, tmp_path):
    run = trained("acdc")
    data = real_data / "sunnybrook_acdc_layout"
    result = evaluate_here(run, tmp_path, dataset_dir=data, section="all", tta="false")
    assert result.status == 0, result.err
    rows = rows_of(tmp_path)
    assert len({row["case"] for row in rows}) == 4
    assert {row["status"] for row in rows if row["structure"] == "RV"} <= {"FP", "TN"}  # no reference holds it
    for path in (tmp_path / "predictions").iterdir():
        (scan,) = data.rglob(path.name)
        assert_fits(path, scan, 3)


def test_a_real_tumor_goes_through_reader_and_network(real_data, trained, tmp_path):
    run = trained("brats")
    data = real_data / "msd_task01_crops"
    settings = {"section": "all", "data#subset": "all", "tta": "false", "patch_size": [152, 144]}
    result = evaluate_here(run, tmp_path, dataset_dir=data, **settings)
    assert result.status == 0, result.err
    rows = {row["structure"]: row for row in rows_of(tmp_path)}
    assert set(rows) == CLASSES["brats"]
    reference = nib.load(data / "MSD_BRATS_009" / "MSD_BRATS_009_seg.nii.gz")
    enhancing = np.count_nonzero(np.asanyarray(reference.dataobj) == 4) * np.prod(reference.header.get_zooms()) / 1000
    assert float(rows["ET"]["reference_volume_ml"]) == pytest.approx(enhancing, rel=1e-4)


def test_a_real_ct_in_the_kits_layout(real_data, trained, tmp_path):
    run = trained("kits")
    result = evaluate_here(run, tmp_path, dataset_dir=real_data / "kits_layout_totalsegmentator", section="all")
    assert result.status == 0, result.err
    assert {row["case"] for row in rows_of(tmp_path)} == {"case_90000"}


def test_real_kidney_labels_are_read(real_data):
    shapes = {}
    for path in sorted((real_data / "kits19_labels").rglob("segmentation.nii.gz")):
        labels = read_labels(path)
        assert labels.array.dtype == np.uint8
        assert set(np.unique(labels.array)) <= {0, 1, 2}
        shapes[path.parent.name] = labels.array.shape
        assert labels.spacing_mm[0] == pytest.approx(abs(labels.affine[:3, 0]).sum(), rel=1e-5)
    assert len(shapes) == 4
    assert shapes["case_00160"][1:] == (512, 796)
