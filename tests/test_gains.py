import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts" / "benchmarks"


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(SCRIPTS))
    yield lambda name: runpy.run_path(str(SCRIPTS / f"{name}.py"))
    sys.path.remove(str(SCRIPTS))


def table(whole, mean, worst):
    rows = {"t2+t1+t1ce+flair": whole, "t1": worst, "mean over subsets": mean, "worst subset": worst}
    return {name: {"WT": value, "mean": value} for name, value in rows.items()}


def test_a_training_with_dropout_is_compared_with_the_first_one(scripts):
    tables = {"without": table(0.9, 0.4, 0.0), "with": table(0.89, 0.8, 0.7)}
    lines = scripts("gains_modalities")["lines"](tables, {"without": 60.0, "with": 61.0})
    assert "with; training 61 CPU seconds" in lines
    assert "| t1 | 0.700 | 0.700 |" in lines
    assert "| with | -0.010 | +0.400 | +0.700 |" in lines


def test_dice_is_the_mean_over_the_scans_of_a_patient(scripts, tmp_path):
    rows = [
        "patient001_frame01,RV,0.5",
        "patient001_frame12,RV,0.7",
        "patient002_frame01,RV,0.2",
        "patient002_frame01,LV,0",
    ]
    (tmp_path / "cases.csv").write_text("case,structure,dice,status\n" + "".join(f"{row},TP\n" for row in rows))
    found = scripts("_bundles")["dice_of_patients"](tmp_path, "RV")
    assert found == pytest.approx({"patient001": 0.6, "patient002": 0.2})


def test_a_difference_is_within_the_patients_and_has_an_interval(scripts):
    difference = scripts("_bundles")["difference"]
    assert difference({"a": 0.9, "b": 0.5}, {"b": 0.4, "a": 0.8}) == "+0.100 [+0.100, +0.100]"
    assert difference({"a": 0.9}, {"a": 1.0}) == "-0.100"


def test_only_tumors_that_are_there_can_be_found(scripts, tmp_path):
    cases = ["one,tumor,0.5,TP", "two,tumor,0.05,TP", "three,tumor,0,FN", "four,tumor,1,TN", "one,kidney,0.9,TP"]
    (tmp_path / "cases.csv").write_text("case,structure,dice,status\n" + "\n".join(cases) + "\n")
    assert scripts("gains_cascade")["count_found"](tmp_path) == "1 of 3"


def test_half_of_the_patients_of_either_side_have_either_scanner(scripts, tmp_path):
    write = scripts("gains_film")["write_scanner_phantom"]
    found = []
    for name, shuffled in (("true", False), ("shuffled", True)):
        folders = sorted(write(tmp_path / name, shuffled=shuffled).iterdir())
        found.append("".join((folder / "Info.cfg").read_text().strip()[-1] for folder in folders))
    assert found[0] == "ABBAABBA"
    assert sorted(found[1]) == sorted(found[0]) and found[1] != found[0]


@pytest.mark.slow
def test_the_scripts_run_at_toy_size(scripts, tmp_path, monkeypatch, capsys):
    options = {
        "gains_modalities": ("--subjects", "4", "--size", "32"),
        "gains_film": ("--patients", "4"),
        "gains_cascade": ("--subjects", "8", "--size", "64"),
    }
    for name, given in options.items():
        monkeypatch.setattr(sys, "argv", [name, "--out", str(tmp_path / name), "--iterations", "5", *given])
        scripts(name)["main"]()
    printed = capsys.readouterr().out
    assert "| dropout, HeMIS fusion |" in printed
    assert "| without metadata |" in printed
    assert "| two stages |" in printed
