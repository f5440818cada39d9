import numpy as np
import pytest
from regionwise.datasets import LABELS, READERS, read_cases, to_classes
from regionwise.errors import InputError


@pytest.mark.parametrize("dataset", READERS)
def test_classes_are_numbered_from_the_background(dataset):
    assert list(LABELS[dataset]) == list(range(len(LABELS[dataset])))
    assert LABELS[dataset][0] == "background"


@pytest.mark.parametrize("dataset", READERS)
def test_no_dataset_given(dataset):
    with pytest.raises(InputError, match=rf"no dataset given: pass --dataset_dir DIR with {READERS[dataset].NAME}: "):
        read_cases(dataset, None)


@pytest.mark.parametrize("dataset", READERS)
def test_no_such_folder(dataset, tmp_path):
    with pytest.raises(InputError, match=rf"expected {READERS[dataset].NAME} in .*/absent: .*; found no such folder"):
        read_cases(dataset, tmp_path / "absent")


@pytest.mark.parametrize("dataset", READERS)
def test_a_file_instead_of_a_folder(dataset, tmp_path):
    (tmp_path / "data.zip").write_bytes(b"x")
    with pytest.raises(InputError, match="found a file"):
        read_cases(dataset, tmp_path / "data.zip")


@pytest.mark.parametrize("dataset", READERS)
def test_an_empty_folder(dataset, tmp_path):
    with pytest.raises(InputError, match=rf"expected {READERS[dataset].NAME} in .*; found an empty folder"):
        read_cases(dataset, tmp_path)


@pytest.mark.parametrize("dataset", READERS)
def test_a_folder_of_something_else(dataset, tmp_path):
    for number in range(7):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"found 0\.png, 1\.png, 2\.png, 3\.png, 4\.png and 2 more"):
        read_cases(dataset, tmp_path)


def test_an_unknown_dataset(tmp_path):
    with pytest.raises(InputError, match=r"Unknown dataset 'kit'; did you mean 'kits'\? choices: acdc, brats, kits"):
        read_cases("kit", tmp_path)


def test_an_empty_file_is_missing(tmp_path):
    (tmp_path / "case_00000").mkdir()
    (tmp_path / "case_00000" / "imaging.nii.gz").write_bytes(b"x")
    (tmp_path / "case_00000" / "segmentation.nii.gz").write_bytes(b"")
    with pytest.raises(InputError, match="the label of case_00000 is an empty file"):
        read_cases("kits", tmp_path)


@pytest.mark.parametrize("dataset", ["acdc", "kits", "msd"])
def test_other_datasets_labels_are_their_classes(dataset):
    labels = np.arange(5, dtype=np.uint8)
    assert to_classes(dataset, labels) is labels
