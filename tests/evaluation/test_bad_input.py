"""Each way in which files can be wrong: one named line, and nothing of the other cases lost."""

import gzip
import json

import nibabel as nib
import numpy as np
import pytest
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.evaluation import Case
from regionwise.evaluation.evaluate import evaluate, evaluate_cases

from .volumes import AFFINE, cube, write, write_pairs


@pytest.fixture
def folders(tmp_path):
    """Two good cases and one called bad, whose prediction each test replaces."""
    return write_pairs(tmp_path, {name: (cube(3), cube(2)) for name in ("a", "bad", "z")})


def truncate(path):
    # Noise, so that what is cut off is voxels and not the end of a run of zeros.
    write(
        path.parent, path.name.removesuffix(".nii.gz"), np.random.default_rng(0).integers(0, 2, (12, 12, 12), np.uint8)
    )
    path.write_bytes(path.read_bytes()[:-60])


def save_float(path):
    nib.save(nib.Nifti1Image(np.full((12, 12, 12), 0.5, np.float32), AFFINE), path)


def moved_affine(path):
    affine = AFFINE.copy()
    affine[0, 3] = 5
    write(path.parent, "bad", cube(2), affine)


def without_voxel_size(path):
    image = nib.load(path)
    image = nib.Nifti1Image(np.asarray(image.dataobj), None)
    image.set_sform(np.diag([0.0, 1, 1, 1]), code=1)
    nib.save(image, path)


BAD = {
    "damaged or truncated": truncate,
    "is not a readable NIfTI file": lambda path: path.write_bytes(gzip.compress(b"no scan")),
    r"expected a 2-D or 3-D image, found shape \(12, 12, 12, 2\) in .*; is it a time series": lambda path: write(
        path.parent, "bad", np.zeros((12, 12, 12, 2), np.uint8)
    ),
    "expected integer labels in .*, found 0.5": save_float,
    r"the affines of .* differ \(a corner moves by 5 voxels\); resample": moved_affine,
    r"has shape \(12, 12, 11\), .* has \(12, 12, 12\); resample": lambda path: write(
        path.parent, "bad", cube(2, shape=(12, 12, 11))
    ),
    "holds label 7, which no reference holds; name it in --classes": lambda path: write(
        path.parent, "bad", cube(2, label=7)
    ),
    "2 files have this name in .*: bad.nii, bad.nii.gz": lambda path: nib.save(nib.load(path), path.parent / "bad.nii"),
    r"expected voxel sizes of 0.05-20 mm, found 0 x 1 x 1 mm in": without_voxel_size,
    "no prediction for the reference": lambda path: path.unlink(),
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_case_is_named_and_the_others_are_kept(folders, tmp_path, message):
    BAD[message](folders[0] / "bad.nii.gz")
    out = tmp_path / "out"
    with pytest.raises(
        InputError, match=rf"1 case cannot be evaluated; .*cases.csv.*--skip_bad.*:\n  bad: .*{message}"
    ):
        evaluate(*folders, out, workers=1)
    lines = (out / "cases.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["case", "a", "z"]
    assert not (out / "summary.json").exists()
    evaluate(*folders, out, workers=1, skip_bad=True)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["n_cases"] == 2
    assert [one["case"] for one in summary["skipped"]] == ["bad"]
    assert "in no number below: 1 case." in (out / "report.html").read_text()


def test_every_bad_case_is_in_one_list_and_the_exit_status_is_1(folders, tmp_path, capsys):
    truncate(folders[0] / "a.nii.gz")
    (folders[1] / "z.nii.gz").unlink()
    write(folders[0], "extra", cube(2))
    command = ["evaluate", "--predictions", str(folders[0]), "--references", str(folders[1])]
    assert main([*command, "--out", str(tmp_path / "out"), "--workers", "1"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: 3 cases cannot be evaluated")
    for line in ("a: ", "z: no reference for the prediction", "extra: no reference for the prediction"):
        assert f"\n  {line}" in error
    assert main([*command, "--skip_bad", "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert "skipped extra: no reference for the prediction" in capsys.readouterr().out


def test_a_label_outside_the_given_classes(folders, tmp_path):
    write(folders[0], "bad", cube(2, label=3))
    with pytest.raises(InputError, match=r"bad.nii.gz holds label 3; the labels are 0, 1, 2"):
        evaluate(*folders, tmp_path / "out", num_classes=3, workers=1)


def test_a_summary_of_an_earlier_run_does_not_stay_beside_new_cases(folders, tmp_path):
    evaluate(*folders, tmp_path / "out", workers=1)
    truncate(folders[0] / "bad.nii.gz")
    with pytest.raises(InputError):
        evaluate(*folders, tmp_path / "out", workers=1, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cases.csv"]


def test_no_common_case(folders, tmp_path):
    write(tmp_path / "others", "case_1", cube(2))
    with pytest.raises(
        InputError, match=r"no reference has a prediction of its name in .*: there are case_1 there, expected a, bad, z"
    ):
        evaluate(tmp_path / "others", folders[1], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_and_empty_folders(folders, tmp_path):
    with pytest.raises(InputError, match=r"expected a folder of NIfTI files at .*nowhere, not found"):
        evaluate(tmp_path / "nowhere", folders[1], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected NIfTI files \(.nii.gz, .nii\) in .*empty, found none"):
        evaluate(folders[0], tmp_path / "empty", tmp_path / "out")


def test_only_bad_cases(tmp_path):
    folders = write_pairs(tmp_path, {"a": (cube(2), cube(2))})
    truncate(folders[0] / "a.nii.gz")
    with pytest.raises(InputError, match="1 case cannot be evaluated; correct the files"):
        evaluate(*folders, tmp_path / "out", workers=1, skip_bad=True)
    assert not (tmp_path / "out").exists()


def test_both_spellings_of_a_class(tmp_path):
    folders = write_pairs(tmp_path, {"a": (cube(2, label=3) + cube(7, label=4), cube(2, label=3))})
    with pytest.raises(InputError, match="holds both 4 and 3, which the label map makes one class"):
        evaluate(*folders, tmp_path / "out", regions="brats", workers=1)


def test_a_name_twice_in_python(tmp_path):
    path = write(tmp_path, "a", cube(2))
    with pytest.raises(InputError, match="case names must differ, found 'a' more than once"):
        evaluate_cases([Case("a", path, path)] * 2, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "acdcc"}, "Unknown dataset 'acdcc'; did you mean 'acdc'"),
        ({"regions": "bratz"}, "no regions 'bratz'; did you mean 'brats'"),
        ({"regions": "{x: 1}"}, "no regions"),
        ({"regions": {"WT": 3}}, "expected --regions as a dataset or as"),
        ({"classes": "LV", "num_classes": 3}, r"--num_classes 3 \(with the background\) does not fit 1 class names"),
        ({"classes": {"one": "LV"}}, "expected labels in --classes as integers from 1 to 65535, got 'one'"),
        ({"protocol": "half"}, "Unknown protocol 'half'; choices: full, paper"),
    ],
)
def test_wrong_options(folders, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(*folders, tmp_path / "out", **options)


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (np.zeros((12, 12, 12), np.float32), r"expected probabilities of shape \(12, 12, 12, classes\)"),
        (np.full((12, 12, 12, 2), 7, np.float32), "expected probabilities in .0, 1. in .*, found 7 to 7"),
        (np.full((12, 12, 12, 2), np.nan, np.float32), "expected probabilities in .0, 1. in .*, found nan to nan"),
        (np.full((12, 12, 12, 2), 0.9, np.float32), "do not add up to 1 in every voxel; is it a softmax"),
    ],
)
def test_wrong_probabilities(tmp_path, p, message):
    folders = write_pairs(tmp_path, {"a": (cube(2), cube(2))})
    write(tmp_path / "probabilities", "a", p)
    with pytest.raises(InputError, match=message):
        evaluate(*folders, tmp_path / "out", classes="LV", probabilities=tmp_path / "probabilities", workers=1)


def test_missing_probabilities_and_scans(folders, tmp_path):
    write(tmp_path / "probabilities", "a", np.full((12, 12, 12, 2), 0.5, np.float32))
    with pytest.raises(InputError, match=r"bad: no probabilities in .*, expected bad.nii.gz"):
        evaluate(*folders, tmp_path / "out", classes="LV", probabilities=tmp_path / "probabilities", workers=1)
    write(tmp_path / "scans", "other", cube(2))
    with pytest.raises(InputError, match=r"expected scans in .* named as the cases, such as a.nii.gz; found none"):
        evaluate(*folders, tmp_path / "out", images=tmp_path / "scans", workers=1)
