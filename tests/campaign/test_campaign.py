"""A small slice of the campaign in every test run, and the judge that decides what held."""

import numpy as np
import pytest
import torch
from regionwise.cli import COMMANDS

from . import __main__ as campaign
from . import kills
from .bad_values import RIGHT
from .kills import VARIANTS, find_difference, try_kills
from .label_maps import labels, write_labels
from .mutated_scans import MUTATIONS, find_wrong_dice
from .trial import Ending, Trial, find_problem, run, table

# Enough of each to see that a kind of input broke; `scripts/campaign.sh` tries more, with other seeds.
SLICE = {"commands": 60, "chosen": 24, "runner": 16, "scans": 8, "bundles": 8, "tricks": 4}


@pytest.mark.parametrize("name", SLICE)
def test_every_input_of_the_slice_holds(name, tmp_path):
    area, _, _ = campaign.AREAS[name]
    trials = list(area(np.random.default_rng([20, list(campaign.AREAS).index(name)]), SLICE[name], tmp_path / name))
    assert len(trials) >= SLICE[name]
    assert [(trial.command, trial.problem) for trial in trials if trial.problem] == []


@pytest.mark.parametrize(
    "variant",
    [name if name == "3-D, averaged weights" else pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS],
)
def test_a_killed_training_resumes_to_the_last_bit(variant, tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "VARIANTS", {variant: VARIANTS[variant]})
    (trial,) = try_kills(np.random.default_rng(1), 1, tmp_path)
    assert trial.problem == "", trial.command


def test_every_command_is_tried():
    assert RIGHT.keys() == COMMANDS.keys(), "a new command needs a right command line to make wrong ones from"


REFUSED = Ending(1, err="error: expected a folder, found a file\n")


@pytest.mark.parametrize(
    ("ending", "after", "must_refuse", "problem"),
    [
        (REFUSED, {"scan": "1"}, True, ""),
        (Ending(0), {"scan": "1", "out/x": "2"}, False, ""),
        (Ending(0), {"scan": "1"}, True, "accepted"),
        (Ending(0), {"scan": "1", "elsewhere": "2"}, False, "wrote elsewhere"),
        (REFUSED, {"scan": "2"}, True, "data loss: scan has changed"),
        (REFUSED, {}, True, "data loss: scan has changed"),
        (REFUSED, {"scan": "1", "out/x": "2"}, True, "left out/x behind"),
        (REFUSED, {"scan": "1", "out/cases.csv": "2"}, True, ""),
        (REFUSED, {"scan": "1", "out/.writing-5-x": "2"}, True, "half-written files are left"),
        (Ending(1), {"scan": "1"}, True, "no line says what is wrong"),
        (Ending(2, err="error: x"), {"scan": "1"}, True, "exit status 2"),
        (Ending(1, err="error: TypeError: not bool"), {"scan": "1"}, True, "names an exception: TypeError"),
        (Ending(1, crash="KeyError: 'a'"), {"scan": "1"}, True, "traceback: KeyError: 'a'"),
        (
            Ending(1, err="Traceback (most recent call last):\n  x\nKeyError: 'a'"),
            {"scan": "1"},
            True,
            "traceback: Key",
        ),
        (Ending(1, out="metadata    failed  expected a version\n"), {"scan": "1"}, True, ""),
    ],
)
def test_what_does_not_hold_is_said(ending, after, must_refuse, problem):
    found = find_problem(ending, {"scan": "1"}, after, ("out",), must_refuse)
    assert found.startswith(problem) and bool(found) == bool(problem)


def test_an_exception_is_kept_with_what_was_printed():
    def fail(text):
        print(text)
        raise KeyError("a")

    ending = run(fail, "hello")
    assert (ending.status, ending.out, ending.crash) == (1, "hello\n", "KeyError: 'a'")


def test_the_table_counts_by_area():
    lines = table([Trial("one", "x"), Trial("two", "y", "accepted"), Trial("one", "z")]).splitlines()
    assert lines[0] == "| area | tried | held | failed |"
    assert lines[2:] == [
        "| one  |     2 |    2 |      0 |",
        "| two  |     1 |    0 |      1 |",
        "| sum  |     3 |    2 |      1 |",
    ]


def test_a_failure_is_shown_and_is_the_exit_status(monkeypatch, capsys):
    failing = lambda random, count, folder: iter([Trial("area", "a command", "accepted")])  # noqa: E731
    monkeypatch.setattr(campaign, "AREAS", {"only": (failing, 1, 1)})
    assert campaign.main([]) == 1
    assert "failed: area: a command\n        accepted\n" in capsys.readouterr().out


def test_a_wrong_dice_is_seen(tmp_path):
    for side, array in (("predictions", np.roll(labels(0), 1, axis=1)), ("references", labels(0))):
        (tmp_path / side).mkdir()
        write_labels(tmp_path / side / "a.nii.gz", array)
    overlap = [2 * np.sum((labels(0) == one) & (np.roll(labels(0), 1, axis=1) == one)) for one in (1, 2)]
    dice = [both / (2 * np.sum(labels(0) == one)) for both, one in zip(overlap, (1, 2), strict=True)]
    assert find_wrong_dice(tmp_path, "a", dice) == ""
    assert find_wrong_dice(tmp_path, "a", [dice[0] + 0.01, dice[1]]).startswith("wrong number: Dice [")
    (tmp_path / "predictions" / "a.nii.gz").write_bytes(b"damaged")
    assert find_wrong_dice(tmp_path, "a", dice).startswith("measured, but another reader finds it damaged")


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_changes_the_file_and_depends_on_the_seed_alone(mutation, tmp_path):
    content = write_labels(tmp_path / "a.nii.gz", labels(0)).read_bytes()
    mutants = [mutation(np.random.default_rng(seed), content) for seed in (5, 5)]
    assert mutants[0] == mutants[1]
    assert any(mutation(np.random.default_rng(seed), content)[1] != content for seed in range(3))


def test_one_bit_of_a_checkpoint_is_a_difference(tmp_path):
    for name, value in (("whole", 1.0), ("same", 1.0), ("other", 1.0 + 2**-23)):
        (tmp_path / name).mkdir()
        state = {"network": {"a": torch.tensor([0.5, value])}, "epoch": 3}
        torch.save(state, tmp_path / name / "last.pt")
        torch.save(state["network"], tmp_path / name / "model.pt")
    assert find_difference(tmp_path / "whole", tmp_path / "same") == ""
    assert find_difference(tmp_path / "whole", tmp_path / "other") == "last.pt differs at /network/a"
    (tmp_path / "same" / ".writing-x").touch()
    assert find_difference(tmp_path / "whole", tmp_path / "same") == ".writing-x is left"
