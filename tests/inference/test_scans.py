from pathlib import Path

import pytest
from regionwise.errors import InputError
from regionwise.inference.scans import scans


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_a_folder_lists_its_scans_sorted_and_nothing_else(tmp_path):
    touch(tmp_path, "b.nii.gz", "a.nii", "notes.txt", "._b.nii.gz")
    assert [item["case_id"] for item in scans(str(tmp_path), "acdc")] == ["a", "b"]


def test_a_file_is_one_scan(tmp_path):
    touch(tmp_path, "patient.v2.nii.gz", "other.nii.gz")
    assert scans(str(tmp_path / "patient.v2.nii.gz"), "kits") == [
        {"case_id": "patient.v2", "image": str(tmp_path / "patient.v2.nii.gz")}
    ]


def test_modalities_are_in_the_order_of_the_channels(tmp_path):
    touch(tmp_path, *(f"x_{modality}.nii.gz" for modality in ("flair", "t1", "t1ce", "t2", "seg")))
    (item,) = scans(str(tmp_path), "brats")
    assert item["case_id"] == "x"
    assert [Path(file).name for file in item["image"]] == [f"x_{m}.nii.gz" for m in ("t2", "t1", "t1ce", "flair")]
    assert scans(str(tmp_path / "x_t1.nii.gz"), "brats") == [item]


def test_a_missing_modality_is_named(tmp_path):
    touch(tmp_path, "x_t1.nii.gz", "x_t2.nii.gz", "x_flair.nii.gz")
    with pytest.raises(InputError, match=r"expected .*x_t1ce\.nii\.gz, not found"):
        scans(str(tmp_path), "brats")


@pytest.mark.parametrize("dataset", ["acdc", "brats"])
def test_nothing_to_segment(tmp_path, dataset):
    with pytest.raises(InputError, match=r"expected \.nii\.gz or \.nii files at .*, found none"):
        scans(str(tmp_path), dataset)
    with pytest.raises(InputError, match="found nothing; pass --input"):
        scans(str(tmp_path / "absent"), dataset)
