"""Nothing is lost by predicting on a BIDS tree."""

import os
import shutil

import pytest
from regionwise.bids import datalist, scans
from regionwise.errors import InputError

from .. import odd_scans
from .trees import write_json, write_tree

T1W = [{"suffix": "T1w"}]


@pytest.fixture
def tree(phantoms, tmp_path):
    return write_tree(tmp_path / "tree", phantoms["hippocampus"])


def check(tree, tmp_path, **options):
    return scans(datalist("msd", tree, T1W, tmp_path / "merged"), tree, str(tmp_path / "out"), **options)


def test_sound_scans_are_all_usable(tree, tmp_path):
    assert [scan["case_id"] for scan in check(tree, tmp_path).usable] == [
        f"sub-0{subject}_ses-{session}" for subject in (1, 2) for session in (1, 2)
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["nan", "four_axes", "half", "affine_sheared"])
def test_an_odd_scan_is_named(tree, tmp_path, capsys, name):
    path = tree / "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"
    odd_scans.REFUSED[name](path)
    checked = check(tree, tmp_path)
    assert len(checked.usable) == 3 and len(checked.problems) == 1
    assert str(path) in capsys.readouterr().err
    with pytest.raises(InputError, match="1 of 4 scans were not segmented"):
        checked.finish()


def test_a_scan_that_was_not_fetched_is_named_where_nothing_is_trained(tree, tmp_path):
    path = tree / "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"
    path.unlink()
    path.symlink_to(tree / "not_fetched")
    assert check(tree, tmp_path).problems == [f"expected a NIfTI file at {path}, not found"]
    with pytest.raises(InputError, match=r"a scan of sub-01_ses-2 is missing: expected .*datalad get"):
        datalist("msd", tree, T1W, tmp_path / "merged", labeled_only=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_scan_and_its_labels_are_never_replaced(tree, tmp_path, overwrite):
    scan = tree / "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"
    (tmp_path / "out" / "predictions").mkdir(parents=True)
    os.link(scan, tmp_path / "out" / "predictions" / "sub-01_ses-2.nii.gz")
    with pytest.raises(InputError, match=f"the label map would overwrite the scan {scan}"):
        check(tree, tmp_path, overwrite=overwrite)
    labels = tmp_path / "labels" / "sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz"
    data = [{**datalist("msd", tree, T1W, tmp_path / "merged")[0], "label": str(labels)}]
    labels.parent.mkdir(parents=True)
    shutil.copy(scan, labels)
    with pytest.raises(InputError, match="is one of the inputs and would be overwritten; choose another --derivative"):
        scans(data, tree, str(tmp_path / "new"), tmp_path / "labels", overwrite=overwrite)


def test_derivatives_are_replaced_only_on_demand_and_never_those_of_others(tree, tmp_path):
    earlier = tree / "derivatives/regionwise/sub-02/ses-1/anat/sub-02_ses-1_dseg.json"
    write_json(earlier, {})
    with pytest.raises(InputError, match=f"{earlier} is there already; choose another --derivative, or pass --overw"):
        check(tree, tmp_path)
    assert len(check(tree, tmp_path, overwrite="true").usable) == 4
    for content in ({"GeneratedBy": [{"Name": "another"}]}, {"GeneratedBy": []}, {"GeneratedBy": 5}, [], {}):
        write_json(tree / "derivatives/regionwise/dataset_description.json", content)
        with pytest.raises(InputError, match="holds the derivatives of another program"):
            check(tree, tmp_path, overwrite=True)
