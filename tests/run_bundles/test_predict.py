"""``regionwise predict``: the labels of the bundle's own prediction, with maps, margins and a table if asked."""

import csv
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from regionwise.cli import main
from regionwise.datasets import LABELS
from regionwise.errors import InputError
from regionwise.nifti import read_labels
from regionwise.prediction.predict import predict

from .running import DATASETS, GRID, ROOT


def folder_of(bundle):
    return str(ROOT / "bundles" / f"{bundle}_rrw")


def options(run, bundle):
    files = {"checkpoint": str(run.folder / "model.pt"), "args_file": str(run.folder / "network.json")}
    return {**files, "device": "cpu", "amp": False, "num_workers": 0, **GRID[bundle]}


def scans(bundle, data, out):
    pattern = {"acdc": "*/patient*_frame??.nii.gz", "hippocampus": "imagesTr/*.nii.gz"}[bundle]
    out.mkdir()
    for path in sorted(data.glob(pattern))[:2]:
        shutil.copy(path, out)
    return str(out)


@pytest.mark.parametrize("bundle", ["acdc", "hippocampus"])
def test_maps_table_and_margins(trained, tmp_path, bundle):
    run, given = trained(bundle), scans(bundle, trained(bundle).data, tmp_path / "scans")
    structures = [name for label, name in LABELS[DATASETS[bundle]].items() if label]
    record = {
        "scaling": None,
        "margins_mm": {"structures": {name: {"outer": 4.0, "inner": 1.5} for name in structures}},
        "trust": {"thresholds": {"pairwise Dice of the members": 2.0}},
        "volumes": {},
    }
    (tmp_path / "calibration.json").write_text(json.dumps(record))
    predict(folder_of(bundle), given, str(tmp_path / "plain"), **options(run, bundle))
    predict(
        folder_of(bundle), given, str(tmp_path / "out"), uncertainty=True, margins=True,
        calibration=str(tmp_path / "calibration.json"), **options(run, bundle),
    )  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "out" / "uncertainty.csv").open()))
    assert [row["review"] for row in rows] == ["yes", "yes"]  # nothing agrees twice as much as it can
    for row in rows:
        labels = read_labels(tmp_path / "out" / "predictions" / f"{row['case']}.nii.gz")
        plain = read_labels(tmp_path / "plain" / "predictions" / f"{row['case']}.nii.gz")
        assert np.mean(labels.array != plain.array) < 1e-3  # another order of summation
        assert int(row["members"]) == 4
        assert 0 <= float(row["trust"]) <= 1
        ml = abs(np.linalg.det(labels.affine[:3, :3])) / 1000
        for value, name in enumerate(structures, start=1):
            voxels = np.count_nonzero(labels.array == value)
            assert float(row[f"{name} volume_ml"]) == pytest.approx(voxels * ml, rel=1e-6)
            nested = read_labels(tmp_path / "out" / "margins" / f"{row['case']}_{name}.nii.gz").array
            assert np.array_equal(nested >= 2, labels.array == value)
        for name in ("predictive_entropy", "mutual_information"):
            image = nib.load(tmp_path / "out" / "uncertainty" / f"{row['case']}_{name}.nii.gz")
            assert image.shape == labels.array.shape
            assert np.allclose(image.affine, labels.affine, atol=1e-5)
            assert 0 <= image.get_fdata().min() <= image.get_fdata().max() <= np.log(len(structures) + 1) + 1e-3


def test_samples_of_dropout_are_members(trained, tmp_path):
    run, given = trained("hippocampus"), scans("hippocampus", trained("hippocampus").data, tmp_path / "scans")
    predict(
        folder_of("hippocampus"), given, str(tmp_path / "out"), uncertainty=True, tta=False, dropout=0.3, samples=3,
        **options(run, "hippocampus"),
    )  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "out" / "uncertainty.csv").open()))
    assert [row["members"] for row in rows] == ["3", "3"]
    assert all(float(row["mutual_information_ml"]) > 0 for row in rows)


def test_options_that_do_not_fit(tmp_path, capsys):
    with pytest.raises(InputError, match="parts of --uncertainty; pass it too"):
        predict(folder_of("acdc"), "scans", str(tmp_path), margins=True)
    with pytest.raises(InputError, match=r"expected a calibration at .*calibration.json, not found; make one with"):
        predict(folder_of("acdc"), "scans", str(tmp_path), margins=True, uncertainty=True)
    with pytest.raises(InputError, match=r"these weights have no calibration; make one with 'regionwise calibrate'"):
        predict(folder_of("acdc"), "scans", str(tmp_path), checkpoint="a.pt,b.pt", margins=True, uncertainty=True)
    (tmp_path / "model.pt").write_bytes(b"weights")
    record = {"scaling": None, "margins_mm": {}, "trust": {"thresholds": {}}, "volumes": {}, "weights_sha256": "0"}
    (tmp_path / "calibration.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"calibration.json is of other weights than .*model.pt; make one with"):
        predict(folder_of("acdc"), "scans", str(tmp_path), checkpoint=str(tmp_path / "model.pt"), uncertainty=True)
    words = ["--bundle", str(tmp_path), "--input", "scans", "--output_dir", str(tmp_path / "out")]
    assert main(["predict", *words]) == 1
    assert "pass the folder of a bundle as --bundle" in capsys.readouterr().err
