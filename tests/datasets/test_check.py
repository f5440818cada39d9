import gzip
import json
import shutil
import struct

import nibabel as nib
import numpy as np
import pytest
from regionwise.cli import main
from regionwise.datasets import datalist
from regionwise.datasets.check import check, describe_empty, find_case_problems
from regionwise.errors import InputError
from regionwise.nifti import Volume, write_volume
from regionwise.phantoms.write import phantom

CLASSES = {0: "background", 1: "RV", 2: "myocardium"}


def volume(array, affine=None, path="scan.nii.gz"):
    return Volume(array, np.diag((1.5, 1.5, 8.0, 1.0)) if affine is None else affine, path)


def image(shape=(4, 4, 3)):
    return volume(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


def label(value=2, shape=(4, 4, 3), affine=None):
    array = np.zeros(shape, np.uint8)
    array[1, 1, 1] = value
    return volume(array, affine, "label.nii.gz")


def test_a_sound_case_has_no_problems():
    assert find_case_problems([image(), image()], label(), CLASSES) == []


def test_a_scan_alone():
    assert find_case_problems([image()], None, CLASSES) == []


def test_shapes_that_differ():
    (problem,) = find_case_problems([image()], label(shape=(4, 3, 3)), CLASSES)
    assert problem == "expected one shape in a case, found (4, 3, 3) in label.nii.gz, (4, 4, 3) in scan.nii.gz"


def test_affines_that_differ_by_more_than_a_tenth_of_a_voxel():
    moved = np.diag((1.5, 1.5, 8.0, 1.0))
    moved[0, 3] = 0.14
    assert find_case_problems([image()], label(affine=moved), CLASSES) == []
    moved[0, 3] = 3
    (problem,) = find_case_problems([image()], label(affine=moved), CLASSES)
    assert problem == "expected one affine in a case, found label.nii.gz up to 3 mm away from scan.nii.gz"


def test_affines_that_flip_an_axis_differ():
    flipped = np.diag((-1.5, 1.5, 8.0, 1.0))
    (problem,) = find_case_problems([image()], label(affine=flipped), CLASSES)
    assert "up to 9 mm away" in problem, "the far corner, 3 voxels of 1.5 mm, to the other side"


def test_labels_outside_the_classes():
    (problem,) = find_case_problems([image()], label(7), CLASSES)
    assert problem == "expected labels 0, 1, 2, found 7 in label.nii.gz"


def test_large_label_values_are_seen():
    array = np.zeros((2, 2, 2), np.int64)
    array[0, 0] = 70_000
    assert find_case_problems([image((2, 2, 2))], volume(array), CLASSES)[0].startswith(
        "expected labels 0, 1, 2, found 70000"
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "found 1 NaN or infinite in scan"), (np.inf, "found 1 NaN or infinite in scan")],
)
def test_voxels_that_are_not_finite(value, message):
    scan = image()
    scan.array[0, 0, 0] = value
    (problem,) = find_case_problems([scan], label(), CLASSES)
    assert message in problem


def test_an_image_without_contrast():
    (problem,) = find_case_problems([volume(np.full((4, 4, 3), 5, np.float32))], label(), CLASSES)
    assert problem == "expected an image, found 5 in every voxel of scan.nii.gz"


def test_an_absent_class_is_described():
    assert describe_empty(label(2), CLASSES) == ["no RV (label 1) in label.nii.gz"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "acdc"
    phantom("acdc", str(folder), subjects=2, size=32, preset="small")
    return folder


@pytest.fixture
def dataset(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "acdc")


def first_case(dataset):
    scan = next(path for path in sorted((dataset / "patient001").glob("*.nii.gz")))
    return scan, scan.with_name(scan.name.replace(".nii.gz", "_gt.nii.gz"))


def test_a_sound_dataset(dataset, capsys):
    assert check("acdc", str(dataset)) == 0
    assert capsys.readouterr().out == "4 cases of 2 subjects: 0 errors, 0 notes\n"


def change(path, function):
    scan = nib.load(path)
    array, affine = function(np.asarray(scan.dataobj).copy(), scan.affine.copy())
    write_volume(path, array, affine)


def shift(array, affine):
    affine[0, 3] += 40
    return array, affine


@pytest.mark.parametrize(
    ("which", "damage", "message"),
    [
        (0, lambda path: path.write_bytes(path.read_bytes()[:2000]), "damaged or truncated"),
        (1, lambda path: path.unlink(), "the ED label of patient001 is missing"),
        (1, lambda path: change(path, lambda a, m: (a[:-1], m)), "expected one shape in a case"),
        (1, lambda path: change(path, shift), "expected one affine in a case"),
        (
            1,
            lambda path: change(path, lambda a, m: (a + 2 * (a == 3).astype(np.uint8), m)),
            "expected labels 0, 1, 2, 3, found 5",
        ),
        (1, lambda path: change(path, lambda a, m: (a * np.float32(0.5), m)), "expected integer labels"),
        (0, lambda path: change(path, lambda a, m: (a / np.float32(0), m)), "NaN or infinite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_each_damage_is_one_line_with_the_file(dataset, capsys, which, damage, message):
    path = first_case(dataset)[which]
    damage(path)
    assert main(["check", "--dataset", "acdc", "--dir", str(dataset)]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0] and str(path) in lines[0]


def test_the_other_cases_are_still_checked(dataset, capsys):
    (dataset / "patient001" / "Info.cfg").unlink()
    path = dataset / "patient002" / "Info.cfg"
    path.write_text(path.read_text().replace("ED", "XX"))
    assert check("acdc", str(dataset)) == 1
    output = capsys.readouterr().out
    assert "Info.cfg of patient001 is missing" in output and "expected a line 'ED: <frame number>'" in output
    assert output.endswith("0 cases of 2 subjects: 2 errors, 0 notes\n")


def test_an_empty_structure_is_a_note_and_an_error_only_when_strict(dataset, capsys):
    path = first_case(dataset)[1]
    change(path, lambda a, m: (np.where(a == 1, 0, a).astype(np.uint8), m))
    assert check("acdc", str(dataset)) == 0
    assert f"note: no RV (label 1) in {path}" in capsys.readouterr().out
    assert check("acdc", str(dataset), strict=True) == 1


def test_labels_that_mix_two_conventions(tmp_path, capsys):
    phantom("brats", str(tmp_path / "brats"), subjects=1, size=32, preset="small")
    (path,) = (tmp_path / "brats").glob("HGG/*/*_seg.nii.gz")
    change(path, lambda a, m: (np.where(a == 1, 3, a).astype(np.uint8), m))
    assert check("brats", str(tmp_path / "brats")) == 1
    assert "labels 3 and 4 both occur" in capsys.readouterr().out


def test_a_modality_that_lies_elsewhere(tmp_path, capsys):
    phantom("brats", str(tmp_path / "brats"), subjects=1, size=32, preset="small")
    (path,) = (tmp_path / "brats").glob("HGG/*/*_t1ce.nii.gz")
    change(path, shift)
    assert check("brats", str(tmp_path / "brats")) == 1
    assert f"expected one affine in a case, found {path} up to 40 mm away" in capsys.readouterr().out


def test_another_folder_is_bad_input(tmp_path, capsys):
    with pytest.raises(InputError, match="found an empty folder"):
        check("kits", str(tmp_path))
    assert main(["check", "--dataset", "kits", "--dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: expected KiTS19 in ")


def test_a_scan_under_two_subjects_is_an_error(dataset, capsys):
    twin = shutil.copytree(dataset / "patient002", dataset / "patient003")
    for path in twin.glob("patient002*"):
        path.rename(path.with_name(path.name.replace("patient002", "patient003")))
    assert check("acdc", str(dataset)) == 1
    errors = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2, "one line per phase"
    assert all("expected one scan per subject, found the same voxels in" in line for line in errors)


def test_an_orientation_of_its_own_is_a_note(dataset, capsys):
    scan, label = first_case(dataset)
    for path in (scan, label):
        image = nib.load(path)
        turned = image.as_reoriented(np.array([[0, -1], [1, -1], [2, 1]]))
        write_volume(path, np.asarray(turned.dataobj), turned.affine)
    own, usual = (
        "".join(nib.aff2axcodes(nib.load(path).affine))
        for path in (scan, *(dataset / "patient002").glob("*_frame01.nii.gz"))
    )
    assert check("acdc", str(dataset)) == 0
    assert f"note: 1 of 4 scans stored as {own}, most as {usual}, first {scan}\n" in capsys.readouterr().out
    assert check("acdc", str(dataset), strict=True) == 1


@pytest.fixture
def four(tmp_path):
    phantom("acdc", str(tmp_path / "four"), subjects=4, size=32, preset="small")
    return tmp_path / "four"


def test_a_split_without_the_subjects_with_errors(four, tmp_path, capsys):
    scan = next((four / "patient001").glob("*_frame??.nii.gz"))
    scan.write_bytes(scan.read_bytes()[:100])
    next((four / "patient002").glob("*_gt.nii.gz")).unlink()
    path = tmp_path / "good.json"
    assert check("acdc", str(four), skip_bad=str(path)) == 1, "the errors are errors all the same"
    out = capsys.readouterr().out
    assert out.count("error: ") == 2
    assert out.splitlines()[-1] == f"{path}: 1 train, 1 val; use them with --split {path}"
    assert json.loads(path.read_text()) == {"train": ["patient004"], "val": ["patient003"]}
    for section, subject in (("train", "patient004"), ("val", "patient003")):
        cases = datalist("acdc", four, section, split=str(path))
        assert {case["subject_id"] for case in cases} == {subject}, "what the split leaves out may be incomplete"
    with pytest.raises(InputError, match=r"the ..? label of patient002 is missing"):
        datalist("acdc", four, "train")
    path.write_text(json.dumps({"train": ["patient002"], "val": ["patient003"]}))
    with pytest.raises(InputError, match=r"the ..? label of patient002 is missing"):
        datalist("acdc", four, "train", split=str(path))


def test_the_later_of_two_equal_subjects_is_left_out(four, tmp_path):
    twin = shutil.copytree(four / "patient002", four / "patient006")
    for path in twin.glob("patient002*"):
        path.rename(path.with_name(path.name.replace("patient002", "patient006")))
    assert check("acdc", str(four), skip_bad=str(tmp_path / "good.json")) == 1
    assert json.loads((tmp_path / "good.json").read_text())["train"] == ["patient002", "patient004"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skip_bad": "there.json"}, r"there\.json exists; pass another --skip_bad FILE"),
        (
            {"skip_bad": "there.json/good.json"},
            "expected a folder to write to as --skip_bad, found a file at there.json",
        ),
        ({"skip_bad": "good.json", "split": "papre"}, "expected split to be 'paper', 'kfold' or a JSON file"),
        ({"split": "kfold"}, "--split, --fold, --folds and --seed are of a split to write"),
        ({"fold": 1}, "pass --skip_bad FILE, too"),
    ],
)
def test_a_split_that_cannot_be_written_is_said_at_once(dataset, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.json").write_text("{}")
    monkeypatch.setattr("regionwise.datasets.check.check_case", None)
    with pytest.raises(InputError, match=message):
        check("acdc", str(dataset), **options)


def test_no_split_is_written_where_a_side_has_errors_only(dataset, tmp_path):
    scan, _ = first_case(dataset)
    scan.write_bytes(b"x")
    with pytest.raises(InputError, match=r"every subject of val has errors; .*good\.json is not written"):
        check("acdc", str(dataset), skip_bad=str(tmp_path / "good.json"))
    assert not (tmp_path / "good.json").exists()


def test_no_bad_file_hides_the_others(dataset, capsys):
    """Neither one that would not fit in memory nor one that is no array of numbers."""
    (first, _), second = first_case(dataset), next((dataset / "patient002").glob("*_frame??.nii.gz"))
    content = bytearray(gzip.decompress(first.read_bytes()))
    content[40:48] = struct.pack("<4h", 3, 32767, 32767, 32767)
    first.write_bytes(gzip.compress(bytes(content)))
    colors = np.zeros((4, 4, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colors, np.eye(4)), second)
    assert check("acdc", str(dataset)) == 1
    out = capsys.readouterr().out
    assert f"error: {first} is damaged or truncated (shape (32767, 32767, 32767) needs" in out
    assert f"found colors or records in {second}" in out
    assert out.endswith("2 errors, 0 notes\n")


@pytest.mark.parametrize(
    ("dataset_name", "folder", "notes"),
    [
        ("acdc", "sunnybrook_acdc_layout", 7),
        ("brats", "msd_task01_crops", 0),
        ("kits", "kits_layout_totalsegmentator", 1),
        ("msd", "msd_task04_hippocampus", 0),
    ],
)
def test_the_real_scans_have_no_errors(real_data, capsys, dataset_name, folder, notes):
    assert check(dataset_name, str(real_data / folder)) == 0
    assert capsys.readouterr().out.endswith(f"0 errors, {notes} notes\n")
