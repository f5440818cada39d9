"""Results that were not made here: nnU-Net's, MIST's and plain tables, written from random numbers."""

import csv
import json

import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.evaluation.comparison.compare import compare
from regionwise.evaluation.comparison.readers import read_run

CASES = [f"patient{p:03d}_frame{f:02d}" for p in range(1, 9) for f in (1, 12)]


def nnunet(path, shift=0.0, missed=()):
    """Write a summary.json as nnU-Net v2 does, NaN included."""
    rng = np.random.default_rng(0)
    cases = []
    for case in CASES:
        metrics = {}
        for label in ("1", "2"):
            dice = float(rng.uniform(0.7, 0.8) + shift)
            counts = {"Dice": dice, "IoU": dice / (2 - dice), "n_pred": 100, "n_ref": 90, "TP": 80, "FP": 20, "FN": 10}
            metrics[label] = counts | {"TN": 1000}
        if case in missed:
            empty = {"Dice": float("nan"), "IoU": float("nan"), "n_pred": 0, "n_ref": 0, "TP": 0, "FP": 0, "FN": 0}
            metrics["2"] = empty | {"TN": 1200}
        files = {"prediction_file": f"/a/{case}.nii.gz", "reference_file": f"/b/{case}.nii.gz"}
        cases.append({"metrics": metrics, **files})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"foreground_mean": {}, "mean": {}, "metric_per_case": cases}, indent=4))
    return path


def mist(path, shift=0.0):
    """Write a results.csv as MIST does, with its five rows of statistics."""
    rng = np.random.default_rng(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "class 1_dice", "class 2_dice", "class 1_haus95", "class 2_haus95"])
        for case in CASES:
            writer.writerow([case, *(rng.uniform(0.7, 0.8, 2) + shift), *rng.uniform(2, 9, 2)])
        for name in ("Mean", "Std", "25th Percentile", "Median", "75th Percentile"):
            writer.writerow([name, 0.5, 0.5, 5, 5])
    return path


def plain(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["case", "structure", "metric", "value"], *rows])
    return path


def test_nnunets_summary(tmp_path):
    run, notes = read_run(nnunet(tmp_path / "summary.json", missed=CASES[:1]))
    assert len(run) == 2 * len(CASES)
    row = run[CASES[0], "class 1"]
    assert row["status"] == "TP" and row["jaccard"] == pytest.approx(row["dice"] / (2 - row["dice"]))
    assert (run[CASES[0], "class 2"]["status"], run[CASES[0], "class 2"]["dice"]) == ("TN", 1)
    assert notes == ["summary.json of nnU-Net has no distances, no class names and no patients"]


def test_mists_results(tmp_path):
    run, notes = read_run(mist(tmp_path / "results.csv"))
    assert {case for case, _ in run} == set(CASES)
    assert set(run[CASES[3], "class 2"]) == {"case", "structure", "status", "dice", "hd95_mm"}
    assert "does not say which masks are empty" in notes[0]


def test_a_plain_table(tmp_path):
    rows = [["a", "LV", "dice", 0.9], ["a", "LV", "assd", 1.5], ["b", "LV", "dice", 0.8], ["b", "LV", "assd", ""]]
    run, _ = read_run(plain(tmp_path / "x.csv", rows))
    assert (run["a", "LV"]["dice"], run["a", "LV"]["assd"], run["b", "LV"]["assd"]) == (0.9, 1.5, None)


def test_tools_are_compared_patient_by_patient(tmp_path):
    files = [nnunet(tmp_path / "nnunet" / "summary.json", shift=0.15), mist(tmp_path / "mist" / "results.csv")]
    compare(files, out=tmp_path / "out", metrics="dice", rename={"class 1": "RV"})
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert list(found["methods"]) == ["nnunet", "mist"]
    assert found["structures"] == ["RV", "class 2"]
    assert found["patients"] == {"n": 8, "source": "from the names of the cases"}
    assert [one["claim"] for one in found["comparisons"]] == ["supported: worse"] * 2
    assert found["notes"] == [
        "nnunet: summary.json of nnU-Net has no distances, no class names and no patients",
        "mist: results.csv of MIST does not say which masks are empty, and has no patients",
    ]


def test_a_metric_that_a_tool_does_not_measure_is_named(tmp_path):
    files = [nnunet(tmp_path / "nnunet" / "summary.json"), mist(tmp_path / "mist" / "results.csv")]
    with pytest.raises(InputError, match=r"the results of nnunet have no 'hd95_mm'; .*choices: dice, jaccard"):
        compare(files, out=tmp_path / "out", metrics="hd95_mm")
    with pytest.raises(InputError, match=r"gives two structures of a case one name"):
        compare(files, out=tmp_path / "out", metrics="dice", rename={"class 1": "class 2"})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("summary.json", b'{"structures": {}}', "is no summary.json of nnU-Net .*give the folder or its cases.csv"),
        ("summary.json", b"[1, 2]", "is no summary.json of nnU-Net"),
        ("summary.json", b"\xff", "is no summary.json of nnU-Net"),
        ("summary.json", b'{"metric_per_case": []}', "holds no case"),
        ("summary.json", b'{"metric_per_case": [{"prediction_file": 3}]}', "is no summary.json of nnU-Net"),
        (
            "summary.json",
            b'{"metric_per_case": [{"prediction_file": "a.nii.gz", "metrics": {"1": {"Dice": NaN, "IoU": 0.1, '
            b'"n_pred": 1, "n_ref": 1}}}]}',
            "expected a finite number in Dice of case 'a'",
        ),
        ("results.csv", b"id,volume\na,1\n", "has no column of MIST such as WT_dice, or no case"),
        ("results.csv", b"id,WT_dice\na,nan\n", "expected a finite number in column 'WT_dice' of row 2"),
        ("results.csv", b"id,WT_dice\na,0.5,7\n", "row 2 of .* has too few or too many columns"),
        ("x.csv", b"case,structure,metric,value\na,LV,dice,x\n", "expected a number in row 2 of .*, found 'x'"),
        ("x.csv", b"case,structure,metric,value\na,LV,dice,1\na,LV,dice,1\n", "row 3 of .* repeats dice of case 'a'"),
        ("x.csv", b"case,structure,metric,value\n", "has no rows"),
        ("x.csv", b"\x00\xff", "is no CSV file"),
    ],
)
def test_invalid_results_raise(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_run(tmp_path / name)
