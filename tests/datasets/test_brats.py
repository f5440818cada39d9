import numpy as np
import pytest
from regionwise.datasets import brats, read_cases, to_classes
from regionwise.errors import InputError
from regionwise.nifti import read_labels

NAMES = ("_t1", "_t1ce", "_t2", "_flair", "_seg")
LATER_NAMES = ("-t1n", "-t1c", "-t2w", "-t2f", "-seg")


def write_case(root, name, suffixes=NAMES):
    (root / name).mkdir(parents=True)
    for suffix in suffixes:
        (root / name / f"{name}{suffix}.nii.gz").write_bytes(b"x")


def test_the_2018_layout_in_the_papers_channel_order(tmp_path):
    write_case(tmp_path / "HGG", "Brats18_A_1")
    (case,) = read_cases("brats", tmp_path)
    folder = tmp_path / "HGG" / "Brats18_A_1"
    assert case == {
        "case_id": "Brats18_A_1",
        "subject_id": "Brats18_A_1",
        "image": [str(folder / f"Brats18_A_1_{name}.nii.gz") for name in ("t2", "t1", "t1ce", "flair")],
        "label": str(folder / "Brats18_A_1_seg.nii.gz"),
        "group": "HGG",
    }


@pytest.mark.parametrize(
    ("subset", "expected"), [(None, ["B"]), ("HGG", ["B"]), ("LGG", ["A", "C"]), ("all", ["A", "B", "C"])]
)
def test_subsets(tmp_path, subset, expected):
    write_case(tmp_path / "HGG", "B")
    write_case(tmp_path / "LGG", "A")
    write_case(tmp_path / "LGG", "C")
    assert [case["case_id"] for case in read_cases("brats", tmp_path, subset)] == expected


def test_an_unknown_subset(tmp_path):
    with pytest.raises(InputError, match=r"Unknown BraTS subset 'HG'; did you mean 'HGG'\? choices: HGG, LGG, all"):
        read_cases("brats", tmp_path, "HG")


def test_a_subset_of_another_dataset(tmp_path):
    with pytest.raises(InputError, match="only brats has subsets; leave out subset 'HGG' for kits"):
        read_cases("kits", tmp_path, "HGG")


def test_a_flat_layout_is_read_whole_and_has_no_grades(tmp_path):
    write_case(tmp_path, "BraTS20_Training_001")
    (tmp_path / "survival").mkdir()
    assert [case["group"] for case in read_cases("brats", tmp_path)] == [""]
    with pytest.raises(InputError, match=r"expected the folders HGG and LGG in .* for subset LGG, found neither"):
        read_cases("brats", tmp_path, "LGG")


def test_the_naming_of_later_years(tmp_path):
    write_case(tmp_path, "BraTS-GLI-00005-000", LATER_NAMES)
    write_case(tmp_path, "BraTS-GLI-00005-001", LATER_NAMES)
    first, second = read_cases("brats", tmp_path)
    endings = [path.rsplit("-", 1)[1] for path in [*first["image"], first["label"]]]
    assert endings == ["t2w.nii.gz", "t1n.nii.gz", "t1c.nii.gz", "t2f.nii.gz", "seg.nii.gz"]
    assert first["case_id"] != second["case_id"]
    assert first["subject_id"] == second["subject_id"] == "BraTS-GLI-00005", "two time points of one person"


@pytest.mark.parametrize(("suffixes", "lost"), [(NAMES, "_t1ce"), (LATER_NAMES, "-t2f"), (NAMES, "_seg")])
def test_a_missing_modality_is_named(tmp_path, suffixes, lost):
    write_case(tmp_path, "case", [suffix for suffix in suffixes if suffix != lost])
    role = {"_t1ce": "modality t1ce", "-t2f": "modality flair", "_seg": "the label"}[lost]
    with pytest.raises(InputError, match=rf"{role} of case is missing: expected .*case{lost}\.nii\.gz"):
        read_cases("brats", tmp_path)


def test_label_4_becomes_3():
    labels = np.array([[0, 1], [2, 4]], np.uint8)
    classes = to_classes("brats", labels)
    np.testing.assert_array_equal(classes, [[0, 1], [2, 3]])
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(labels, [[0, 1], [2, 4]], "the argument stays as it was")


def test_labels_of_later_years_stay():
    labels = np.array([0, 1, 2, 3], np.uint8)
    np.testing.assert_array_equal(to_classes("brats", labels), labels)


def test_labels_3_and_4_together_mean_something_else():
    with pytest.raises(InputError, match="labels 3 and 4 both occur; expected brats to use one of them"):
        to_classes("brats", np.array([3, 4]))


def test_the_paper_takes_every_other_case():
    assert brats.paper_split(["c", "a", "b"]) == (["a", "c"], ["b"])


def test_the_real_crop(real_data):
    (case,) = read_cases("brats", real_data / "msd_task01_crops")
    assert case["case_id"] == "MSD_BRATS_009"
    assert set(np.unique(to_classes("brats", read_labels(case["label"]).array))) == {0, 1, 2, 3}
