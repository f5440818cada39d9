import csv

import numpy as np
import pytest
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.evaluation.comparison.readers import read_run
from regionwise.fusion.agreement import agreement_rows, mean_surface_bias_mm, summarize_raters
from regionwise.fusion.command import fuse
from regionwise.nifti import read_header, read_labels, write_volume

AFFINE = np.diag([-1.0, 1.0, 2.0, 1.0])


def cube(first, last, label=1):
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[first:last, first:last, first:last] = label
    return labels


@pytest.fixture
def raters(tmp_path):
    """Three folders; B draws 1 voxel too much on each side, C what A draws."""
    for case in ("one", "two"):
        for name, labels in {"A": cube(4, 8), "B": cube(3, 9), "C": cube(4, 8)}.items():
            write_volume(tmp_path / name / f"{case}.nii.gz", labels, AFFINE)
    return [str(tmp_path / name) for name in "ABC"]


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_labels_and_tables(raters, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["fuse", *raters, "--out", str(out), "--classes", "kidney"]) == 0
    fused = read_labels(out / "labels" / "one.nii.gz")
    assert np.array_equal(fused.array, cube(4, 8))
    np.testing.assert_array_equal(fused.affine, AFFINE)
    rows = {row["rater"]: row for row in table(out / "raters.csv")}
    assert float(rows["A"]["bias_ml"]) == 0
    assert float(rows["B"]["bias_ml"]) == pytest.approx((216 - 64) * 2 / 1000)
    assert float(rows["B"]["consistency_ml"]) == 0
    assert float(rows["B"]["bias_mm"]) > 1
    assert float(rows["B"]["dice"]) == pytest.approx(2 * 64 / 280)
    assert float(rows["A"]["pair_dice"]) == pytest.approx((1 + 2 * 64 / 280) / 2)
    assert rows["A"]["structure"] == "kidney"
    assert len(table(out / "raters_by_case.csv")) == 6
    assert len(table(out / "pairs.csv")) == 6
    text = capsys.readouterr().out
    assert "+0.30 (0.00)" in text
    assert f"labels: {out / 'labels'}" in text


def test_compare_reads_the_row_between_raters(raters, tmp_path):
    fuse(raters, out=str(tmp_path / "out"))
    run, _ = read_run(tmp_path / "out" / "inter_rater.csv")
    assert run["one", "class 1"]["dice"] == pytest.approx((1 + 2 * 2 * 64 / 280) / 3)


def test_average_writes_soft_labels(raters, tmp_path):
    fuse(",".join(raters), out=str(tmp_path / "out"), method="average")
    path = tmp_path / "out" / "labels" / "two.nii.gz"
    soft = np.asarray(read_header(path).dataobj)
    assert soft.shape == (12, 12, 12, 2)
    np.testing.assert_allclose(soft[3, 3, 3], [2 / 3, 1 / 3], rtol=1e-6)


def test_staple_reports_each_rater(raters, tmp_path):
    pytest.importorskip("SimpleITK")
    fuse(raters, out=str(tmp_path / "out"), method="staple")
    rows = {row["rater"]: row for row in table(tmp_path / "out" / "raters.csv")}
    assert float(rows["B"]["staple_sensitivity"]) == pytest.approx(1, abs=0.02)
    assert float(rows["B"]["staple_specificity"]) < float(rows["A"]["staple_specificity"])


def test_one_folder_with_raters_in_the_names(tmp_path):
    for case in ("case01", "case02"):
        for rater in (1, 2):
            path = tmp_path / "in" / case / f"task01_seg{rater:02}.nii.gz"
            write_volume(path, cube(4, 8), AFFINE)
    fuse(str(tmp_path / "in"), out=str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out" / "labels").iterdir()) == [
        "case01_task01.nii.gz",
        "case02_task01.nii.gz",
    ]


def test_results_are_kept_unless_overwritten(raters, tmp_path):
    out = str(tmp_path / "out")
    fuse(raters, out=out)
    with pytest.raises(InputError, match="is there already; choose another --out, or pass --overwrite"):
        fuse(raters, out=out)
    fuse(raters, out=out, method="distance", overwrite=True)
    assert len(list((tmp_path / "out" / "labels").iterdir())) == 2


def bad(tmp_path, name):
    write_volume(tmp_path / "B" / "two.nii.gz", cube(3, 9)[:6], AFFINE)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda p: (p / "B" / "two.nii.gz").unlink(), {}, "case 'two' has no label map by rater 'B'; give each folder"),
        (lambda p: bad(p, "two"), {}, r"expected one shape in a case, found \(6, 12, 12\)"),
        (lambda p: None, {"method": "vote"}, "Unknown fusion method 'vote'"),
        (lambda p: None, {"num_classes": 1}, "expected --num_classes as an integer of at least 2"),
        (
            lambda p: write_volume(p / "A" / "one.nii.gz", cube(4, 8, 2), AFFINE),
            {"classes": "kidney"},
            "case 'one' holds label 2, which --classes or --num_classes does not name",
        ),
        (lambda p: None, {"out": ""}, "'fuse' needs --out"),
    ],
)
def test_bad_input_is_said_and_nothing_is_written(raters, tmp_path, change, options, message):
    change(tmp_path)
    with pytest.raises(InputError, match=message):
        fuse(raters, **{"out": str(tmp_path / "out"), **options})
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize(
    ("folders", "pattern", "message"),
    [
        (["A", "A"], None, "found 'A' twice; rename one"),
        (["A", "none"], None, "expected a folder of label maps at .*none, not found"),
        (["A"], None, "expected files named like '{case}_seg{rater}.nii.gz' in .*A, found none"),
        (["A"], "{case}", "expected --pattern with {case} and {rater}, once each, found '{case}'"),
        (["A"], "{case}n{rater}", "expected at least two raters per case, found 1 for 'o'"),
    ],
)
def test_folders_that_do_not_fit_are_said(raters, tmp_path, folders, pattern, message):
    options = {} if pattern is None else {"pattern": pattern}
    with pytest.raises(InputError, match=message):
        fuse([str(tmp_path / name) for name in folders], out=str(tmp_path / "out"), **options)


def test_surface_bias_by_hand():
    line, longer = np.zeros((1, 9), bool), np.zeros((1, 9), bool)
    line[0, 3:5], longer[0, 3:7] = True, True  # every voxel of a line is boundary: 2 too many, 2 and 4 mm away
    assert mean_surface_bias_mm(longer, line, (1.0, 2.0)) == pytest.approx((2 + 4) / 6)
    assert mean_surface_bias_mm(line, longer, (1.0, 2.0)) == pytest.approx(-(2 + 4) / 6)
    assert mean_surface_bias_mm(line, line, (1.0, 2.0)) == 0
    assert np.isnan(mean_surface_bias_mm(line, np.zeros_like(line), (1.0, 2.0)))


def test_consistency_is_the_spread_over_the_cases():
    maps = [{"A": cube(4, 8), "B": cube(4, last)} for last in (8, 9)]
    rows = [row for one in maps for row in agreement_rows(one, cube(4, 8), {"kidney": 1}, (1, 1, 10))[0]]
    b = next(row for row in summarize_raters(rows) if row["rater"] == "B")
    assert b["cases"] == 2
    assert b["bias_ml"] == pytest.approx((125 - 64) / 200)
    assert b["consistency_ml"] == pytest.approx((125 - 64) / 100 / 2**0.5)
    single = summarize_raters(rows[:1])[0]
    assert np.isnan(single["consistency_ml"])
