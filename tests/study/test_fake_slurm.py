import subprocess
import sys
import time

import pytest

from .conftest import STUDY


@pytest.fixture
def call(tmp_path):
    """Return a function that runs one of the commands and gives what it printed."""
    folder = tmp_path / "slurm"
    subprocess.run([sys.executable, STUDY / "fake_slurm.py", folder], check=True)

    def run(name, *words):
        done = subprocess.run([folder / name, *words], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    return run


def submit(call, tmp_path, command):
    words = ["--parsable", "--job-name", "study", "--output", str(tmp_path / "%j.log"), "--mem", "8000"]
    return call("sbatch", *words, f"--wrap={command}").strip()


def states(call, *until):
    for _ in range(200):
        found = dict(line.split("|") for line in call("sacct", "-X", "--name", "study").split())
        if sorted(found.values()) == sorted(until):
            break
        time.sleep(0.1)
    return found


def test_jobs_run_fail_and_are_cancelled(call, tmp_path):
    good = submit(call, tmp_path, "echo $SLURM_JOB_ID")
    bad = submit(call, tmp_path, "exit 3")
    long = submit(call, tmp_path, "sleep 60")
    assert states(call, "COMPLETED", "FAILED", "RUNNING") == {good: "COMPLETED", bad: "FAILED", long: "RUNNING"}
    assert (tmp_path / f"{good}.log").read_text() == f"{good}\n"
    call("scancel", long)
    assert states(call, "COMPLETED", "FAILED", "CANCELLED")[long] == "CANCELLED"
    assert call("sacct", "-X", "--name", "another") == ""


def test_srun_runs_its_command(call):
    assert call("srun", "-n1", "--cpu-bind=q", "--cpus-per-task=4", "echo", "hello") == "hello\n"
