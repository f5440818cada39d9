import numpy as np
import pytest
from regionwise.evaluation import find_cases, pair_datalist, with_images

from .volumes import cube, write


def test_folders_are_paired_by_name_whatever_the_suffix(tmp_path):
    write(tmp_path / "p", "b", cube(2))
    write(tmp_path / "p", "a", cube(2))
    (tmp_path / "p" / "notes.txt").write_text("not a scan")
    (tmp_path / "p" / ".hidden.nii.gz").write_bytes(b"")
    write(tmp_path / "r", "a", cube(2))
    (write(tmp_path / "r", "b", cube(2))).rename(tmp_path / "r" / "b.nii")
    cases, problems = find_cases(tmp_path / "p", tmp_path / "r")
    assert [(case.name, case.prediction.name, case.reference.name) for case in cases] == [
        ("a", "a.nii.gz", "a.nii.gz"),
        ("b", "b.nii.gz", "b.nii"),
    ]
    assert problems == []


def test_a_datalist_brings_group_and_scan(tmp_path):
    write(tmp_path / "p", "x_frame01", cube(2))
    label = write(tmp_path / "x", "x_frame01_gt", cube(2))
    scans = [write(tmp_path / "x", name, np.zeros((12, 12, 12), np.float32)) for name in ("t2", "t1")]
    one = {"case_id": "x_frame01", "label": str(label), "image": [str(scan) for scan in scans], "group": "ED"}
    (case,), problems = pair_datalist(tmp_path / "p", [one])
    assert (case.reference, case.group, case.image) == (label, "ED", scans[0])
    assert problems == []


def test_scans_by_name_or_with_the_channel_number_of_nnunet(tmp_path):
    for name in ("a", "b", "c"):
        write(tmp_path / "p", name, cube(2))
    write(tmp_path / "scans", "a", cube(2))
    write(tmp_path / "scans", "b_0000", cube(2))
    cases, _ = find_cases(tmp_path / "p", tmp_path / "p")
    assert [case.image and case.image.name for case in with_images(cases, tmp_path / "scans")] == [
        "a.nii.gz",
        "b_0000.nii.gz",
        None,
    ]


@pytest.mark.parametrize(
    ("dataset", "folder", "count"),
    [
        ("acdc", "sunnybrook_acdc_layout", 4),
        ("brats", "msd_task01_crops", 1),
        ("kits", "kits_layout_totalsegmentator", 1),
        ("msd", "msd_task04_hippocampus", 32),
    ],
)
def test_dataset_layouts(real_data, tmp_path, dataset, folder, count):
    from regionwise.datasets import read_cases

    listed = read_cases(dataset, real_data / folder)
    for one in listed:
        write(tmp_path, one["case_id"], cube(2))
    cases, problems = find_cases(tmp_path, real_data / folder, dataset)
    assert (len(cases), problems) == (count, [])
    assert all(case.reference.is_file() for case in cases)
    assert {case.group for case in cases} == ({"ED", "ES"} if dataset == "acdc" else {listed[0]["group"]})


def test_a_section_of_a_dataset(real_data, tmp_path):
    write(tmp_path, "patient901_frame19", cube(2))
    cases, problems = find_cases(tmp_path, real_data / "sunnybrook_acdc_layout", "acdc", section="val")
    # The paper validates on odd patients; the other frame of 901 has no prediction, 902 is not asked for.
    assert [case.name for case in cases] == ["patient901_frame19"]
    assert [problem.case for problem in problems] == ["patient901_frame08"]
