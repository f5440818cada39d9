"""Nothing is lost and nothing is half-written, whatever the output folder is."""

import os

import numpy as np
import pytest
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.evaluation import Case, EvaluationSettings, Structure, parallel
from regionwise.evaluation import evaluate as evaluating
from regionwise.evaluation.evaluate import evaluate, evaluate_cases
from regionwise.evaluation.output import check_outputs, check_writable, write_texts

from .volumes import cube, write, write_pairs

LV = EvaluationSettings(classes=(Structure("LV", (1,)),))


@pytest.fixture(autouse=True)
def plain_report(monkeypatch):
    """Leave out what takes seconds and is tested elsewhere."""
    monkeypatch.setattr(evaluating, "report_html", lambda *_: "<html>")
    monkeypatch.setattr(parallel, "usable_cores", lambda: 1)


@pytest.fixture
def folders(tmp_path):
    return write_pairs(tmp_path / "Q", {"a": (cube(3), cube(2)), "b": (cube(2), cube(2))})


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(tmp_path, message, *arguments, **options):
    before = content(tmp_path)
    with pytest.raises(InputError, match=message):
        evaluate(*arguments, **options)
    assert content(tmp_path) == before


def test_error_maps_do_not_replace_predictions(tmp_path, folders):
    out = tmp_path / "Q"
    folders[0].rename(out / "error_maps")
    arguments = (out / "error_maps", folders[1], out)
    refused(tmp_path, "error_maps holds inputs; choose another --out", *arguments, error_maps=True)
    refused(tmp_path, "a.nii.gz is one of the inputs and would be", *arguments, error_maps=True, overwrite=True)


def test_error_maps_do_not_replace_inputs_behind_a_link(tmp_path, folders):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "error_maps").symlink_to(folders[1])
    refused(tmp_path, "error_maps holds inputs", *folders, tmp_path / "out", error_maps=True)
    refused(tmp_path, "is one of the inputs", *folders, tmp_path / "out", error_maps=True, overwrite=True)


@pytest.mark.parametrize("side", [0, 1])
def test_a_folder_of_inputs_is_no_output_unless_told(tmp_path, folders, side):
    refused(tmp_path, "holds inputs; choose another --out, or pass --overwrite", *folders, folders[side])
    evaluate(*folders, folders[side], overwrite=True)
    assert (folders[side] / "summary.json").is_file() and (folders[side] / "a.nii.gz").is_file()


def test_results_are_replaced_only_when_told(tmp_path, folders):
    out = tmp_path / "out"
    evaluate(*folders, out, error_maps=True)
    refused(tmp_path, "cases.csv is there already; choose another --out, or pass --overwrite", *folders, out)
    (out / "error_maps" / "a.nii.gz").write_bytes(b"old")
    evaluate(*folders, out, error_maps=True, overwrite=True)
    assert sorted(content(out)) == [
        "cases.csv",
        "error_maps/a.nii.gz",
        "error_maps/b.nii.gz",
        "report.html",
        "summary.json",
    ]
    assert content(out)["error_maps/a.nii.gz"] != b"old"


def test_a_table_that_is_not_ours_is_kept(tmp_path, folders):
    (tmp_path / "cases.csv").write_text("name,age\n")
    refused(tmp_path, "cases.csv is there already", *folders, tmp_path)


@pytest.mark.parametrize("out", ["", " "])
def test_an_empty_out_raises(tmp_path, folders, out, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, "'evaluate' needs --out, a folder to write to", *folders, out)


def test_a_file_as_out_raises(tmp_path, folders):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "under"):
        refused(tmp_path, "expected a folder to write to as --out, found a file at .*file", *folders, out)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="found a broken link"):
        check_writable(tmp_path / "link" / "under")


def test_a_folder_in_place_of_a_file_raises(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"expected to write a file at .*, found a folder"):
        check_outputs([tmp_path / "report.html"], [], overwrite=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_raises(tmp_path, folders):
    (tmp_path / "out").mkdir(mode=0o555)
    refused(tmp_path, "cannot write to .*: it is read-only", *folders, tmp_path / "out")


@pytest.mark.parametrize("error_maps", [False, True])
def test_a_full_disk_leaves_nothing(tmp_path, folders, monkeypatch, error_maps):
    def write_text(self, text, **_):
        if "report" in self.name:
            raise OSError(28, "No space left on device")
        self.write_bytes(b"x")

    monkeypatch.setattr(type(tmp_path), "write_text", write_text)
    message = "cannot write cases.csv, summary.json, report.html to .*: No space left on device"
    refused(tmp_path, message, *folders, tmp_path / "out", error_maps=error_maps)


def test_an_error_map_that_cannot_be_written_leaves_nothing(tmp_path, folders, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("regionwise.evaluation.measure.write_volume", full)
    message = "cannot write the error map a.nii.gz: No space left on device"
    refused(tmp_path, message, *folders, tmp_path / "out", error_maps=True)
    assert not (tmp_path / "out").exists()


def test_texts_are_written_all_or_none(tmp_path):
    write_texts({tmp_path / "a": "1", tmp_path / "b": "2"})
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write c, d to"):
        write_texts({tmp_path / "c": "1", tmp_path / "file" / "d": "2"})
    assert sorted(content(tmp_path)) == ["a", "b", "file"]


def test_names_that_are_too_long_for_an_error_map_raise(tmp_path):
    path = write(tmp_path, "a", cube(2))
    message = r"cannot be that of a file \(at most 230 bytes, no slash\); rename the case, or leave out --error_maps"
    with pytest.raises(InputError, match=message):
        evaluate_cases([Case("x" * 244, path, path)], tmp_path / "out", LV, error_maps=True)
    with pytest.raises(InputError, match="cannot be that of a file"):
        evaluate_cases([Case("../x", path, path)], tmp_path / "out", LV, error_maps=True)
    evaluate_cases([Case("x" * 244, path, path)], tmp_path / "out", LV)


def test_names_that_are_not_utf8_are_named_and_the_others_kept(tmp_path, folders, capsys):
    for folder in folders:
        (folder / "a.nii.gz").rename(folder / os.fsdecode(b"\xff\xfe.nii.gz"))
    out = tmp_path / "out"
    command = ["evaluate", f"--predictions={folders[0]}", f"--references={folders[1]}", f"--out={out}", "--classes=LV"]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "the name of a file in" in error and "is not UTF-8; rename it" in error
    assert [line.split(",")[0] for line in (out / "cases.csv").read_text().splitlines()] == ["case", "b"]


def test_spreadsheets_see_no_formula(tmp_path):
    from regionwise.evaluation.cases_csv import read_rows

    path = write(tmp_path, "a", cube(2))
    names = ["=HYPERLINK(1)", "+1", "-1", "@x", "'=quoted", "'plain", "plain"]
    evaluate_cases([Case(name, path, path) for name in names], tmp_path / "out", LV)
    cells = [line.split(",")[0] for line in (tmp_path / "out" / "cases.csv").read_text().splitlines()[1:]]
    assert cells == ["'=HYPERLINK(1)", "'+1", "'-1", "'@x", "''=quoted", "''plain", "plain"]
    assert [row["case"] for row in read_rows(tmp_path / "out" / "cases.csv")] == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "expected --workers as an integer of at least 1, got 0"),
        ({"workers": -1}, "expected --workers as an integer of at least 1, got -1"),
        ({"workers": 1.5}, "expected --workers as an integer of at least 1, got 1.5"),
        ({"workers": "abc"}, "expected --workers as an integer of at least 1, got 'abc'"),
        ({"worst": -1}, "expected --worst as an integer of at least 0, got -1"),
        ({"section": "val"}, "--section val is part of a dataset; say which one with --dataset"),
        ({"split": "paper"}, "--split paper is part of a dataset"),
    ],
)
def test_invalid_options_raise_before_anything_is_measured(tmp_path, folders, options, message):
    refused(tmp_path, message, *folders, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_empty_label_maps_without_classes_raise(tmp_path):
    empty = np.zeros((4, 4, 4), np.uint8)
    folders = write_pairs(tmp_path, {"a": (empty, empty)})
    refused(tmp_path, "no reference holds a label, all are 0 everywhere; name the classes", *folders, tmp_path / "out")
    evaluate(*folders, tmp_path / "out", classes="LV")


def test_a_name_that_no_label_has_raises_once_labels_are_known(tmp_path, folders):
    refused(tmp_path, "Unknown structure 'class 7'", *folders, tmp_path / "out", lesions="class 7")


def test_an_image_of_one_row_is_measured(tmp_path):
    for shape in ((1, 1, 9), (9, 1, 1), (1, 9, 1)):
        one, two = np.zeros(9, np.uint8), np.zeros(9, np.uint8)
        one[2:4], two[2:6] = 1, 1
        root = tmp_path / "x".join(map(str, shape))
        for name, array in (("p", one), ("r", two)):
            write(root, name, array.reshape(shape), np.eye(4))
        summary = evaluate_cases([Case("a", root / "p.nii.gz", root / "r.nii.gz")], root / "out", LV)
        assert summary["structures"]["LV"]["metrics"]["hd_mm"]["mean"] == 2


def test_affines_that_cannot_be_measured_by_are_named(tmp_path):
    import nibabel as nib

    path = write(tmp_path, "good", cube(2), np.eye(4))
    shear, nan = np.eye(4), np.eye(4)
    shear[0, 1], nan[0, 3] = 1, np.nan
    for name, affine, message in (("shear", shear, "sheared affine"), ("nan", nan, "found NaN or infinity")):
        image = nib.Nifti1Image(cube(2), None)
        image.set_sform(affine, code=1)
        nib.save(image, tmp_path / f"{name}.nii.gz")
        bad = tmp_path / f"{name}.nii.gz"
        for case in (Case("a", bad, path), Case("a", path, bad), Case("a", bad, bad)):
            with pytest.raises(InputError, match=message):
                evaluate_cases([case], tmp_path / "out", LV)
    meters = nib.Nifti1Image(cube(2), np.diag([0.0015, 0.0015, 0.005, 1]))
    meters.header.set_xyzt_units("meter")
    nib.save(meters, tmp_path / "meters.nii.gz")
    with pytest.raises(InputError, match="expected millimeters, found meters"):
        evaluate_cases([Case("a", tmp_path / "meters.nii.gz", tmp_path / "meters.nii.gz")], tmp_path / "out", LV)
    assert not (tmp_path / "out").exists()
