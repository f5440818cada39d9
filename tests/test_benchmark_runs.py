"""Benchmarks that run whole commands: what they make of the results, and that the commands run."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from regionwise.phantoms.write import phantom

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts" / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return lambda name: runpy.run_path(str(SCRIPTS / name))


def run(name, *options):
    done = subprocess.run([sys.executable, SCRIPTS / name, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_stage_of_the_start_takes_what_is_between_its_end_and_the_one_before(script):
    benchmark = script("benchmark_startup.py")
    runs = [{"imports": (4.0, 3.0), benchmark["LAST"]: (last, 5.0)} for last in (7.0, 9.0, 30.0)]
    assert benchmark["stage_rows"](runs) == [
        ["imports", "4.0 s (3.0 CPU s)", "4.0 s (3.0 CPU s)", "", ""],
        [benchmark["LAST"], "5.0 s (2.0 CPU s)", "9.0 s (5.0 CPU s)", "<= 12 s", "yes"],
    ]


def test_the_cpu_time_of_a_process_counts_what_it_started(script):
    measure = runpy.run_path(str(SCRIPTS / "_first_iterations.py"))["cpu_seconds"]
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert 0.25 < measure(child.pid) < 30
        child.communicate(b"\n")
    assert measure(child.pid) == 0


def test_what_both_programs_need_to_start_is_subtracted(script):
    difference = script("benchmark_preprocessing.py")["difference"]
    assert difference([(5.0, 8.0), (6.0, 9.0), (90.0, 99.0)], [(2.0, 1.0), (3.0, 2.0), (4.0, 3.0)]) == (3.0, 7.0)


def test_a_split_of_the_trainings_has_no_subject_on_both_sides(script, tmp_path):
    pairs = script("augmentation_place.py")
    phantom("msd", str(tmp_path / "data"), subjects=6, preset="small")
    pairs["write_split"](str(tmp_path / "data"), tmp_path / "split.json", 4, 2)
    split = json.loads((tmp_path / "split.json").read_text())
    assert (len(split["train"]), len(split["val"])) == (4, 2)
    assert not set(split["train"]) & set(split["val"])
    with pytest.raises(ValueError, match=r"expected at least 7 subjects in .*data, found 6"):
        pairs["write_split"](str(tmp_path / "data"), tmp_path / "split.json", 4, 3)


def test_an_interval_is_student_s(script):
    # Mean 2, standard deviation 1, three values: t = 4.303 at 2 degrees of freedom.
    assert script("augmentation_place.py")["interval"](np.array([1.0, 2.0, 3.0])) == (
        "+2.0000 (95 %: -0.4841 to +4.4841)"
    )


@pytest.mark.slow
def test_the_start_of_a_training_is_measured_by_stage(tmp_path):
    small = ["filters=[4,8,8,8]", "num_workers=0", "train#trainer#compile=False", "amp=False"]
    text = run("benchmark_startup.py", "--subjects", "4", "--turns", "1", "--folder", str(tmp_path), *small)
    stages = [line.split("  ")[0] for line in text.splitlines()[3:]]
    assert stages[0] == "imports of MONAI's runner"
    assert stages[-3:] == ["workers and first batch", "first iteration", "second iteration"]


@pytest.mark.slow
def test_preprocessing_is_timed_without_nnunet_where_it_is_not_installed(tmp_path):
    options = ["--bundle", "hippocampus", "--subjects", "4", "--turns", "1", "--workers", "1"]
    text = run("benchmark_preprocessing.py", *options, "--nnunet", str(tmp_path), "--folder", str(tmp_path))
    assert "nnUNetv2_preprocess is not installed: only ours is timed" in text
    assert "hippocampus, " in text and "ours / nnU-Net" not in text


@pytest.mark.slow
def test_a_pair_of_trainings_is_compared_case_by_case(tmp_path):
    phantom("msd", str(tmp_path / "data"), subjects=6, preset="small")
    small = ["filters=[4,8,8,8]", "amp=False"]
    size = ["--pairs", "1", "--iterations", "3", "--train", "4", "--held_out", "2", "--out", str(tmp_path / "out")]
    text = run("augmentation_place.py", str(tmp_path / "data"), *small, *size)
    assert "| 0 | 0." in text
    assert "\nCPU seconds of the trainings: device " in text
