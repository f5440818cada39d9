import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from regionwise.data.load import LoadCased
from regionwise.errors import InputError

from ..datasets.cases import SHAPE, SPACING_MM, blocks, write_case


def change(path, array, affine=None):
    nib.save(nib.Nifti1Image(array, np.diag([*SPACING_MM, 1]) if affine is None else affine), path)


def test_a_case_becomes_channel_first_metatensors_in_file_order(tmp_path):
    item = write_case(tmp_path, "a")
    case = LoadCased(["image", "label"], "msd")(item)
    assert isinstance(case["image"], MetaTensor) and isinstance(case["label"], MetaTensor)
    assert (case["image"].dtype, case["label"].dtype) == (torch.float32, torch.uint8)
    assert case["image"].shape == case["label"].shape == (1, *SHAPE)
    assert np.array_equal(case["image"][0].numpy(), nib.load(item["image"]).get_fdata(dtype=np.float32))
    assert np.array_equal(case["label"][0].numpy(), blocks())
    assert case["image"].pixdim.tolist() == case["label"].pixdim.tolist() == list(SPACING_MM)
    assert (case["scan"], case["case_id"]) == (item["image"], "a")


def test_several_files_become_channels_in_their_order(tmp_path):
    items = [write_case(tmp_path, name, seed=seed) for seed, name in enumerate("ab")]
    images = [item["image"] for item in items]
    case = LoadCased(["image"], "brats")({"case_id": "a", "image": images})
    assert case["image"].shape == (2, *SHAPE)
    assert np.array_equal(case["image"][1].numpy(), nib.load(images[1]).get_fdata(dtype=np.float32))
    assert case["scan"] == images[0]


def test_the_label_is_not_read_where_it_is_not_asked_for(tmp_path):
    item = write_case(tmp_path, "a")
    (tmp_path / "a_gt.nii.gz").unlink()
    assert LoadCased("image", "msd")(item)["label"] == item["label"]
    with pytest.raises(InputError, match=r"expected a NIfTI file at .*a_gt\.nii\.gz, not found"):
        LoadCased(["image", "label"], "msd")(item)


def test_label_4_of_brats_becomes_3(tmp_path):
    label = blocks()
    label[label == 2] = 4
    case = LoadCased(["image", "label"], "brats")(write_case(tmp_path, "a", label))
    assert case["label"].unique().tolist() == [0, 1, 3]


def test_both_spellings_of_a_brats_class_are_refused_with_the_file(tmp_path):
    label = blocks()
    label[label == 2] = 4
    label[0, 0, 0] = 3
    item = write_case(tmp_path, "a", label)
    with pytest.raises(InputError, match=r"a_gt\.nii\.gz: labels 3 and 4 both occur; expected brats to use one"):
        LoadCased(["image", "label"], "brats")(item)


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        ("label", np.full(SHAPE, 7, np.uint8), r"expected labels 0, 1, 2, found 7 in .*a_gt\.nii\.gz"),
        (
            "label",
            np.zeros((8, 10, 5), np.uint8),
            r"expected one shape in a case, found \(8, 10, 5\) in .*a_gt\.nii\.gz",
        ),
        ("label", np.full(SHAPE, 0.5, np.float32), r"expected integer labels in .*a_gt\.nii\.gz, found 0\.5"),
        (
            "image",
            np.full(SHAPE, np.nan, np.float32),
            r"expected finite voxels, found 320 NaN or infinite in .*a\.nii\.gz",
        ),
        ("image", np.full(SHAPE, 3, np.float32), r"expected an image, found 3 in every voxel of .*a\.nii\.gz"),
        (
            "image",
            np.zeros((*SHAPE, 2), np.float32),
            r"expected a 3-D image, found shape \(8, 10, 4, 2\) in .*a\.nii\.gz",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_one_line_with_the_file(tmp_path, key, array, message):
    item = write_case(tmp_path, "a")
    change(item[key], array)
    with pytest.raises(InputError, match=message):
        LoadCased(["image", "label"], "msd")(item)


def test_a_label_at_another_place_is_refused(tmp_path):
    item = write_case(tmp_path, "a")
    affine = np.diag([*SPACING_MM, 1.0])
    affine[0, 3] = 10
    change(item["label"], blocks(), affine)
    with pytest.raises(InputError, match=r"expected one affine in a case, found .*a_gt\.nii\.gz up to 10 mm away"):
        LoadCased(["image", "label"], "msd")(item)
