import csv
import json

import nibabel as nib
import numpy as np
import pytest
from regionwise.bundle import evaluate
from regionwise.bundle.evaluate import evaluate_datalist
from regionwise.errors import InputError
from regionwise.evaluation import parallel

AFFINE = np.diag([1.0, 1, 2, 1])


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setattr(parallel, "usable_cores", lambda: 1)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    return str(path)


@pytest.fixture
def data(tmp_path):
    """Two patients of brats: the reference with label 4, the prediction, shifted by a voxel, with class 3."""
    items = []
    for name, shift in (("a", 0), ("b", 1)):
        label = np.zeros((12, 12, 6), np.uint8)
        label[2:8, 2:8, 1:5] = 2
        label[4:6, 4:6, 2:4] = 4
        predicted = np.where(label == 4, 3, label).astype(np.uint8)
        save(tmp_path / "out" / "predictions" / f"{name}.nii.gz", np.roll(predicted, shift, axis=0))
        image = save(tmp_path / "data" / f"{name}.nii.gz", np.random.default_rng(0).normal(size=label.shape))
        items.append(
            {
                "case_id": name,
                "subject_id": name,
                "image": [image] * 4,
                "label": save(tmp_path / "data" / f"{name}_seg.nii.gz", label),
                "group": "HGG",
            }
        )
    return items


def evaluate_brats(tmp_path, data, **settings):
    evaluate_datalist(data, "brats", tmp_path / "out", **settings)
    with (tmp_path / "out" / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    return rows, json.loads((tmp_path / "out" / "summary.json").read_text())


def test_predictions_are_measured_by_class_and_region(tmp_path, data):
    rows, summary = evaluate_brats(tmp_path, data, regions="brats", about={"fold": 0})
    assert (tmp_path / "out" / "report.html").is_file()
    dice = {(row["case"], row["structure"]): float(row["dice"]) for row in rows}
    assert dice["a", "enhancing tumor"] == dice["a", "WT"] == 1
    assert dice["b", "enhancing tumor"] == 0.5  # half of its 2 x 2 x 2 voxels are met
    assert dice["b", "WT"] == pytest.approx(5 / 6)
    assert {row["group"] for row in rows} == {"HGG"}
    assert {"edema", "enhancing tumor", "necrotic core", "WT", "TC", "ET"} <= {row["structure"] for row in rows}
    assert summary["n_cases"] == 2


def test_a_case_without_its_prediction_is_an_error(tmp_path, data):
    (tmp_path / "out" / "predictions" / "b.nii.gz").unlink()
    with pytest.raises(InputError, match=r"b"):
        evaluate_brats(tmp_path, data)
    assert not (tmp_path / "out" / "summary.json").exists()


def test_only_the_main_process_measures(tmp_path, data, monkeypatch):
    monkeypatch.setattr(evaluate, "is_main_process", lambda: False)
    evaluate_datalist(data, "brats", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions"]
