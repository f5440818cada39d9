import nibabel as nib
import numpy as np
import pytest
import torch
from regionwise.errors import InputError
from regionwise.modalities import LoadModalitiesd, find_modalities, scans
from regionwise.modalities.subsets import subsets, summarize

from .. import odd_scans

NAMES = ["t2", "t1", "t1ce", "flair"]


def write(folder, *modalities, shape=(4, 5, 6)):
    for index, modality in enumerate(modalities, start=1):
        array = np.full(shape, index, np.float32)
        array[0] = 0
        nib.save(nib.Nifti1Image(array, np.diag([2, 2, 3, 1])), folder / f"case_{modality}.nii.gz")


def test_the_files_that_exist_are_found_and_the_others_named(tmp_path, capsys):
    write(tmp_path, "t1ce", "t2")
    (scan,) = find_modalities(str(tmp_path), NAMES)
    assert scan["case_id"] == "case"
    assert [bool(file) for file in scan["image"]] == [True, False, True, False]
    assert capsys.readouterr().err == "case: without t1, flair\n"


def test_a_whole_scan_says_nothing(tmp_path, capsys):
    write(tmp_path, *NAMES)
    assert all(find_modalities(str(tmp_path), NAMES)[0]["image"])
    assert capsys.readouterr().err == ""


def test_what_is_missing_is_nan_in_its_channel(tmp_path):
    write(tmp_path, "t1ce", "t2")
    (scan,) = find_modalities(str(tmp_path), NAMES)
    case = LoadModalitiesd()(scan)
    assert case["image"].shape == (4, 4, 5, 6)
    assert torch.isnan(case["image"][[1, 3]]).all()
    assert (case["image"][0, 1:] == 2).all() and (case["image"][2, 1:] == 1).all()
    assert case["scan"].endswith("case_t2.nii.gz")
    assert case["image"].affine.diagonal().tolist() == [2, 2, 3, 1]


def test_no_modality_at_all_is_one_line(tmp_path):
    with pytest.raises(InputError, match="expected at least one modality of case, found none"):
        LoadModalitiesd()({"case_id": "case", "image": ["", "", "", ""]})
    write(tmp_path, "pd")
    with pytest.raises(InputError, match=r"expected files that end in _t2.nii.gz, .* found none"):
        find_modalities(str(tmp_path), NAMES)


def test_modalities_that_exist_are_read_to_their_end(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", "t1ce", "t2")
    out = str(tmp_path / "out")
    assert [scan["case_id"] for scan in scans(str(tmp_path / "in"), NAMES, out).usable] == ["case"]
    for name in ("nan", "four_axes", "half"):
        odd_scans.REFUSED[name](tmp_path / "in" / "case_t1ce.nii.gz")
        with pytest.raises(InputError, match=r"case_t1ce\.nii\.gz"):
            scans(str(tmp_path / "in"), NAMES, out)
    odd_scans.save(tmp_path / "in" / "case_t1ce.nii.gz")
    with pytest.raises(InputError, match=r"expected one shape in a case, found \(24, 28, 16\)"):
        scans(str(tmp_path / "in"), NAMES, out)
    assert not (tmp_path / "out").exists()


def test_a_modality_is_never_replaced(tmp_path):
    (tmp_path / "predictions").mkdir()
    write(tmp_path, "t1ce")
    (tmp_path / "predictions" / "case.nii.gz").hardlink_to(tmp_path / "case_t1ce.nii.gz")
    with pytest.raises(InputError, match=r"the label map would overwrite the scan .*case_t1ce"):
        scans(str(tmp_path), NAMES, str(tmp_path), overwrite=True)
    (tmp_path / "predictions" / "case.nii.gz").unlink()
    (tmp_path / "predictions" / "case.nii.gz").write_bytes(b"earlier")
    with pytest.raises(InputError, match="pass another --output_dir, or --overwrite true"):
        scans(str(tmp_path), NAMES, str(tmp_path))
    assert len(scans(str(tmp_path), NAMES, str(tmp_path), overwrite="true").usable) == 1


def test_there_are_fifteen_subsets_of_four():
    assert len(subsets(4)) == len(set(subsets(4))) == 15
    assert subsets(4)[0] == (0, 1, 2, 3)


def test_the_summary_has_the_mean_and_the_worst_subset():
    rows = [["a", "t1+t2", "WT", 0.8], ["b", "t1+t2", "WT", 1.0], ["a", "t1", "WT", 0.2], ["b", "t1", "WT", 0.6]]
    header, *table = summarize(rows)
    assert header == ["modalities", "n", "WT", "mean"]
    expected = [("t1+t2", 0.9), ("t1", 0.4), ("mean over subsets", 0.65), ("worst subset", 0.4)]
    assert [(row[0], pytest.approx(row[2])) for row in table] == expected
