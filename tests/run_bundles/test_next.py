"""What to label next: a ranking by the weights in the box, and a replay of two rounds."""

import csv
import shutil

import pytest
from regionwise.cli import main

from .running import ROOT, SPLIT, TINY

BUNDLE = ROOT / "bundles" / "hippocampus_rrw"


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def rank(folder, out, *more):
    return main(["next", "--unlabelled", str(folder), "--model", str(BUNDLE), "--out", str(out), *more])


def test_cases_and_slices_are_ranked(trained, tmp_path, capsys):
    run = trained("hippocampus")
    weights = ["--checkpoint", str(run.folder / "model.pt"), "--network", str(run.folder / "network.json")]
    scans = run.data / "imagesTr"
    assert rank(scans, tmp_path, *weights) == 0
    assert capsys.readouterr().out.startswith("4 cases and ")
    cases, slices = read(tmp_path / "next_cases.csv"), read(tmp_path / "next_slices.csv")
    assert {row["case"] for row in cases} == {path.name.removesuffix(".nii.gz") for path in scans.iterdir()}
    for rows in (cases, slices):
        everyone = list(range(1, len(rows) + 1))
        assert [int(row["rank"]) for row in rows] == everyone
        assert sorted(int(row["random_rank"]) for row in rows) == everyone
        assert sorted(int(row["foreground_random_rank"]) for row in rows) == everyone
        assert all(float(row["entropy"]) >= 0 for row in rows)
    assert len({(row["case"], row["slice"]) for row in slices}) == len(slices)
    assert rank(scans, tmp_path, *weights) == 1
    assert "next_cases.csv" in capsys.readouterr().err
    before = (tmp_path / "next_cases.csv").read_bytes()
    assert rank(scans, tmp_path, "--overwrite", *weights) == 0
    assert (tmp_path / "next_cases.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--round", "4"], "expected --round to be 0..3 (--rounds is 4), found 4"),
        (["--seed", "-1"], "expected --seed to be an integer >= 0, found -1"),
        ([], "expected .nii.gz or .nii files at "),
    ],
)
def test_an_empty_pool_and_wrong_options_are_one_line(tmp_path, capsys, options, line):
    (tmp_path / "pool").mkdir()
    assert rank(tmp_path / "pool", tmp_path / "out", *options) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {line}") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_is_no_bundle_is_one_line(tmp_path, capsys):
    assert main(["next", "--unlabelled", str(tmp_path), "--model", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "expected a bundle in" in capsys.readouterr().err


def replay(data, out, **settings):
    words = ["replay", "--dir", str(data), "--model", str(BUNDLE), "--out", str(out)]
    return main([*words, *(word for key, value in settings.items() for word in (f"--{key}", str(value)))])


@pytest.mark.slow
def test_a_replay_compares_the_orders(phantoms, tmp_path):
    settings = {**TINY, **SPLIT["hippocampus"], "train#trainer#compile": False}
    rounds = {"start": 1, "step": 1, "rounds": 2, "seeds": 1, "held_out": 0.25}
    assert replay(phantoms["hippocampus"], tmp_path, **rounds, **settings) == 0
    curves = read(tmp_path / "replay_curves.csv")
    assert [(row["order"], row["labeled"]) for row in curves] == [
        (order, labeled) for order in ("uncertainty", "random", "foreground_random") for labeled in ("1", "2")
    ]
    assert len({row["dice"] for row in curves if row["labeled"] == "1"}) == 1  # one training serves all orders
    assert [row["order"] for row in read(tmp_path / "replay_summary.csv")][-1] == "foreground_random"
    shutil.rmtree(tmp_path / "cache")


def test_too_few_subjects_are_one_line(phantoms, tmp_path, capsys):
    assert replay(phantoms["hippocampus"], tmp_path / "out", rounds=4, start=4) == 1
    assert "expected at least 4 + 4 x 3 subjects to label, found 3 beside 1 held out" in capsys.readouterr().err
