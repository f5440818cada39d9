"""Scans for predicting; how they are found, read and refused is in ``tests/test_scans.py``."""

from pathlib import Path

import pytest
from regionwise.errors import InputError
from regionwise.inference import scans

from .. import odd_scans


def save(folder: Path, *names: str) -> Path:
    for name in names:
        odd_scans.save(folder / f"{name}.nii.gz")
    return folder


def test_scans_of_one_file_are_a_datalist(tmp_path):
    found = scans(str(save(tmp_path, "patient.v2", "other")), "kits", tmp_path / "out")
    assert found.usable == [
        {"case_id": name, "image": str(tmp_path / f"{name}.nii.gz")} for name in ("other", "patient.v2")
    ]
    assert found.problems == []
    assert not (tmp_path / "out").exists()


def test_modalities_are_in_the_order_of_the_channels(tmp_path):
    save(tmp_path, *(f"x_{modality}" for modality in ("flair", "t1", "t1ce", "t2", "seg")))
    (item,) = scans(str(tmp_path), "brats", tmp_path / "out").usable
    assert item["case_id"] == "x"
    assert [Path(file).name for file in item["image"]] == [f"x_{m}.nii.gz" for m in ("t2", "t1", "t1ce", "flair")]
    assert scans(str(tmp_path / "x_t1.nii.gz"), "brats", tmp_path / "out").usable == [item]


def test_a_scan_without_a_modality_is_named_and_the_other_is_kept(tmp_path, capsys):
    save(tmp_path, "x_t1", "x_t2", "x_flair", *(f"y_{modality}" for modality in ("flair", "t1", "t1ce", "t2")))
    found = scans(str(tmp_path), "brats", tmp_path / "out")
    assert [item["case_id"] for item in found.usable] == ["y"]
    message = f"expected a NIfTI file at {tmp_path / 'x_t1ce.nii.gz'}, not found"
    assert capsys.readouterr().err == f"not segmented: {message}\n"
    with pytest.raises(InputError, match="1 of 2 scans were not segmented, first: expected a NIfTI file at"):
        found.finish()


@pytest.mark.parametrize("kind", ["predictions", "probabilities"])
def test_neither_kind_of_output_overwrites_another_run(tmp_path, kind):
    (tmp_path / "out" / kind).mkdir(parents=True)
    save(tmp_path, "a")
    save(tmp_path / "out" / kind, "a")
    with pytest.raises(InputError, match=rf"{kind}.a\.nii\.gz exists \(1 of 1 outputs do\)"):
        scans(str(tmp_path), "acdc", tmp_path / "out", probabilities="true")
    assert scans(str(tmp_path), "acdc", tmp_path / "out", "true", overwrite="true").problems == []
