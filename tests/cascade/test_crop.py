import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from regionwise.cascade import CropToPriord
from regionwise.cascade.boxes import find_box
from regionwise.cascade.priors import find_priors
from regionwise.data.store import settings_of
from regionwise.errors import InputError

SHAPE, AFFINE = (12, 20, 20), np.diag([5.0, 1.0, 2.0, 1.0])


def write_prior(folder, name="case", value=1, affine=AFFINE):
    array = np.zeros(SHAPE, np.uint8)
    array[5:7, 8:12, 9:11] = value
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")
    return folder


def case():
    image = torch.arange(np.prod(SHAPE), dtype=torch.float32).reshape(1, *SHAPE)
    return {"case_id": "case", "image": MetaTensor(image, affine=torch.from_numpy(AFFINE)), "scan": "case.nii.gz"}


def test_the_margin_is_in_mm_on_every_axis():
    labels = np.zeros(SHAPE, np.uint8)
    labels[5:7, 8:12, 9:11] = 1
    assert find_box(labels, [1], (5.0, 1.0, 2.0), 5) == ((4, 8), (3, 17), (6, 14))


def test_the_box_ends_at_the_volume_and_needs_its_structures():
    labels = np.zeros((4, 4), np.uint8)
    labels[0, 3] = 2
    assert find_box(labels, [], (1, 1), 2) == ((0, 3), (1, 4))
    assert find_box(labels, [1], (1, 1), 2) is None


def test_a_case_is_cropped_and_the_world_stays(tmp_path):
    crop = CropToPriord("image", write_prior(tmp_path), [1], margin_mm=5)
    whole, part = case()["image"], crop(case())["image"]
    assert torch.equal(part[0], whole[0, 4:8, 3:17, 6:14])
    assert part.affine[:3, 3].tolist() == [20, 3, 12]


@pytest.mark.parametrize("channels", [1, 3])
def test_predictions_go_back_to_where_they_were(tmp_path, channels):
    preprocessing = Compose([CropToPriord("image", write_prior(tmp_path), margin_mm=5)])
    cropped = preprocessing(case())
    shape = (channels, *cropped["image"].shape[1:])
    cropped["pred"] = MetaTensor(torch.full(shape, 0.25), affine=cropped["image"].affine)
    back = Invertd("pred", preprocessing, "image", nearest_interp=True)(cropped)["pred"]
    assert back.shape == (channels, *SHAPE)
    inside = np.zeros(SHAPE, bool)
    inside[4:8, 3:17, 6:14] = True
    assert (back[:, inside] == 0.25).all()
    assert (back[1:, ~inside] == 0).all()
    assert (back[0, ~inside] == (0 if channels == 1 else 1)).all()  # of scores, the background's is certain


def test_a_lost_box_is_the_whole_volume_and_says_so(tmp_path, capsys):
    result = CropToPriord("image", write_prior(tmp_path), [2])(case())
    assert result["image"].shape == (1, *SHAPE)
    assert capsys.readouterr().err == f"case: no label 2 in {tmp_path / 'case.nii.gz'}, using the whole volume\n"


def test_other_priors_are_another_entry_of_the_store(tmp_path):
    first, again = (settings_of(CropToPriord("image", write_prior(tmp_path / "a"))) for _ in range(2))
    other = settings_of(CropToPriord("image", write_prior(tmp_path / "b", value=2)))
    assert first == again != other


def test_a_box_of_another_grid_and_a_missing_prior_are_one_line(tmp_path):
    moved = AFFINE.copy()
    moved[0, 3] = 500
    with pytest.raises(InputError, match=r"expected one affine in a case, found .*case.nii.gz up to 500 mm away"):
        CropToPriord("image", write_prior(tmp_path / "moved", affine=moved))(case())
    with pytest.raises(InputError, match=r"no prior of case: expected .*case.nii.gz; run the first stage"):
        CropToPriord("image", write_prior(tmp_path / "other", "another"))(case())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"prior_dir": None}, "no prior given: pass --prior_dir"),
        ({"prior_dir": "nowhere"}, "expected the label maps of a first stage in nowhere, found none"),
        ({"margin_mm": -1}, "expected --margin_mm to be a number >= 0, found -1"),
        ({"margin_mm": float("nan")}, "expected --margin_mm to be a number >= 0, found nan"),
        ({"margin_mm": float("inf")}, "expected --margin_mm to be a number >= 0, found inf"),
        ({"structures": 1}, r"expected --prior_structures as a list of labels such as \[1, 2\], found 1"),
        ({"structures": ["kidney"]}, r"expected --prior_structures as a list .*, found \['kidney'\]"),
        ({"structures": "kidney"}, r"expected --prior_structures as a list .*, found 'kidney'"),
    ],
)
def test_wrong_options_are_one_line(tmp_path, options, line):
    with pytest.raises(InputError, match=line):
        CropToPriord("image", **{"prior_dir": write_prior(tmp_path), **options})


def test_training_takes_only_predictions_that_are_out_of_fold(tmp_path):
    write_prior(tmp_path / "one" / "predictions")
    with pytest.raises(InputError, match=r"found no summary.json that says so; evaluate each fold with --section val"):
        find_priors(tmp_path / "one", out_of_fold=True)
    for section, fine in (("train", False), ("all", False), ("val", True)):
        (tmp_path / "one" / "summary.json").write_text(json.dumps({"about": {"section": section}}))
        if fine:
            assert find_priors([str(tmp_path / "one")], out_of_fold=True).keys() == {"case"}
        else:
            with pytest.raises(InputError, match=f"found section '{section}'"):
                find_priors(tmp_path / "one", out_of_fold=True)


def test_a_case_in_two_folders_is_refused(tmp_path):
    folders = [str(write_prior(tmp_path / name)) for name in ("one", "two")]
    with pytest.raises(InputError, match="expected one prior of case, found"):
        find_priors(folders)
