import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts" / "benchmarks"


def gpu(*options):
    return subprocess.run([sys.executable, SCRIPTS / "gpu.py", *options], capture_output=True, text=True)


@pytest.fixture(scope="module")
def trainings():
    return runpy.run_path(str(SCRIPTS / "_gpu_trainings.py"))


def test_an_unknown_step_is_one_line():
    done = gpu("corectness")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "Unknown step 'corectness'; choices: correctness, speed, precision, processes, resume, hippocampus, "
        "acdc, brats, kits"
    )


def test_what_a_training_prints_is_read(trainings):
    text = (
        "epoch 1/2  loss 0.4  3.10 it/s  waiting for data 40 %\n"
        "epoch 2/2  loss 0.3  Dice 0.871  12.50 it/s  waiting for data 4%\nbest Dice 0.8710 in epoch 2\n"
    )
    assert trainings["last_epoch"](text) == (12.5, 0.04)
    assert trainings["best_dice"](text) == 0.871


def test_steps_run_at_toy_size_on_the_cpu_and_are_not_repeated(tmp_path):
    options = ("--out", str(tmp_path), "--device", "cpu", "--toy", "correctness", "speed")
    done = gpu(*options)
    assert done.returncode == 0, done.stderr
    lines = json.loads((tmp_path / "correctness.json").read_text())["lines"]
    assert [line[3] for line in lines] == ["yes"] * 5
    table = (tmp_path / "table.md").read_text()
    assert "## correctness" in table and "## speed" in table and "torch" in table
    assert re.search(r"\| augmentation of the batch \| \d+ samples/s", table)
    again = gpu(*options)
    assert again.returncode == 0
    assert "correctness: done before" in again.stdout and "speed: done before" in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize("step", ["precision", "processes", "resume", "hippocampus", "acdc", "brats", "kits"])
def test_trainings_run_at_toy_size_on_the_cpu(tmp_path, step):
    done = gpu("--out", str(tmp_path), "--device", "cpu", "--toy", step)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = json.loads((tmp_path / f"{step}.json").read_text())["lines"]
    assert lines and all(line[3] != "no" for line in lines)
