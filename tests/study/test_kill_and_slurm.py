"""The whole workflow on tiny synthetic data: killed in the middle, changed, and through a stand-in for Slurm."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from .conftest import STUDY, finish

pytestmark = pytest.mark.slow

TABLES = ("table.csv", "table.md", "statistics.csv", "ranks.csv", "variance.csv", "cases.csv", "curves.csv")


def tables(folder):
    return {name: (folder / "results" / "hippocampus" / name).read_bytes() for name in TABLES}


def cell(folder, method):
    return folder / "cells" / "hippocampus" / "fold0" / method / "seed0" / "train.json"


def test_a_killed_study_goes_on_and_a_finished_one_does_nothing(study, tmp_path):
    finish(study("whole"))
    killed = study("killed")
    runs = tmp_path / "killed" / "cells" / "hippocampus" / "fold0"
    while not list(runs.glob("*/seed0/runs/*/last.pt")):
        assert killed.poll() is None
        time.sleep(0.05)
    # The script, the workflow and the training: all processes of the session, as a power cut would.
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    finish(study("killed"))
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")
    costs = [json.loads(cell(tmp_path / "killed", method).read_text())["cost"] for method in ("rrw", "dice")]
    assert any(cost["resumed"] for cost in costs)

    page = (tmp_path / "whole" / "report.md").read_text()
    assert "Same protocol? No: hippocampus is not in the paper." in page
    assert str(tmp_path) not in page
    assert "<script" not in (tmp_path / "whole" / "report.html").read_text()

    before = {method: cell(tmp_path / "whole", method).stat().st_mtime_ns for method in ("rrw", "dice")}
    assert "Nothing to be done" in finish(study("whole"))
    assert "Nothing to be done" in finish(study("whole", comment="# a comment"))
    assert before == {method: cell(tmp_path / "whole", method).stat().st_mtime_ns for method in ("rrw", "dice")}
    finish(study("whole", loss="{dice: {loss: focal}}"))
    assert before["rrw"] == cell(tmp_path / "whole", "rrw").stat().st_mtime_ns
    assert json.loads(cell(tmp_path / "whole", "dice").read_text())["spec"]["overrides"]["loss"] == "focal"


def test_a_failed_cell_fails_alone(study, tmp_path):
    failing = study("failing", loss="{bad: {loss: dice, settings: {gradient_norm: -1}}}")
    out, _ = failing.communicate(timeout=900)
    assert failing.returncode != 0
    assert "some cells did not finish" in out
    assert cell(tmp_path / "failing", "rrw").is_file() and not cell(tmp_path / "failing", "bad").exists()


def test_an_unknown_loss_is_one_line_before_any_training(study, tmp_path):
    wrong = study("wrong", loss="rww")
    out, _ = wrong.communicate(timeout=300)
    assert wrong.returncode == 1
    assert "error: loss 'rww' of preset 'toy': Unknown loss 'rww'; did you mean 'rrw'?" in out
    assert not (tmp_path / "wrong" / "cells").exists()


def test_the_slurm_profile_runs_on_a_stand_in(study, tmp_path):
    fake = tmp_path / "slurm"
    subprocess.run([sys.executable, STUDY / "fake_slurm.py", fake], check=True)
    finish(
        study(
            "cluster", "--profile", "slurm", "--jobs", "2",
            PATH=f"{fake}:{os.environ['PATH']}", STUDY_SNAKEMAKE_OPTIONS="--slurm-init-seconds-before-status-checks 1",
        )
    )  # fmt: skip
    states = [path.read_text().strip() for path in (fake / "jobs").glob("*.status")]
    assert len(states) >= 7 and set(states) == {"0"}  # 1 preparation, 2 trainings, 2 evaluations, 1 table, 1 page
    assert set(tables(tmp_path / "cluster"))
