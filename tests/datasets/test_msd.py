import json

import pytest
from regionwise.datasets import LABELS, read_cases
from regionwise.errors import InputError


def write_task(root, names=("hippocampus_003", "hippocampus_001"), **changes):
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / f"{name}.nii.gz").write_bytes(b"x")
    content = {
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "training": [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in names],
        "test": ["./imagesTs/hippocampus_002.nii.gz"],
    }
    (root / "dataset.json").write_text(json.dumps(content | changes))


def test_cases_are_listed_by_name(tmp_path):
    write_task(tmp_path)
    first, second = read_cases("msd", tmp_path)
    assert first == {
        "case_id": "hippocampus_001",
        "subject_id": "hippocampus_001",
        "image": str(tmp_path / "imagesTr/hippocampus_001.nii.gz"),
        "label": str(tmp_path / "labelsTr/hippocampus_001.nii.gz"),
        "group": "",
    }
    assert second["case_id"] == "hippocampus_003"


def test_resource_files_of_a_mac_are_ignored(tmp_path):
    write_task(tmp_path, names=("._hippocampus_001", "hippocampus_001"))
    assert [case["case_id"] for case in read_cases("msd", tmp_path)] == ["hippocampus_001"]


def test_a_missing_label_is_named(tmp_path):
    write_task(tmp_path)
    (tmp_path / "labelsTr/hippocampus_003.nii.gz").unlink()
    with pytest.raises(
        InputError, match=r"the label of hippocampus_003 is missing: expected .*labelsTr/hippocampus_003"
    ):
        read_cases("msd", tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {}}, r'expected "training": \[\{"image": ...'),
        ({"training": ["a.nii.gz"]}, r'expected "training": \[\{"image": ...'),
        ({"training": []}, r"expected cases under 'training' in .*dataset\.json, found none"),
        (
            {"labels": {"0": "background", "1": "spleen"}},
            r"expected the labels 0 background, 1 anterior, 2 posterior \(Task04\) in .*spleen",
        ),
        ({"labels": {"0": "background", "1": "Posterior", "2": "Anterior"}}, r"found \{'0': 'background', '1': 'Post"),
        ({"labels": ["background", "Anterior", "Posterior"]}, r"expected the labels .* found \['background'"),
        (
            {"training": 2 * [{"image": "imagesTr/hippocampus_001.nii.gz", "label": "x"}]},
            r"lists hippocampus_001\.nii\.gz more than once",
        ),
    ],
)
def test_another_description(tmp_path, changes, message):
    write_task(tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        read_cases("msd", tmp_path)


def test_a_broken_description(tmp_path):
    (tmp_path / "dataset.json").write_text('{"training": [')
    with pytest.raises(InputError, match=r"dataset\.json is not JSON \(.*\); download it again"):
        read_cases("msd", tmp_path)


def test_no_description(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    with pytest.raises(InputError, match=r"expected an MSD task in .*: dataset\.json, imagesTr/.*found imagesTr/"):
        read_cases("msd", tmp_path)


def test_the_real_hippocampi(real_data):
    cases = read_cases("msd", real_data / "msd_task04_hippocampus")
    assert len(cases) == 32
    assert len({case["case_id"] for case in cases}) == 32
    assert list(LABELS["msd"].values()) == ["background", "anterior", "posterior"]
