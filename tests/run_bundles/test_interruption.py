"""Ctrl-C, or the signal with which a queue ends a run: one line that says how to go on, and whole files."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from regionwise.weights import load_checkpoint

from .. import odd_scans
from .running import ROOT, arguments, config, environment, half_written, run_here, training

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")]
LINE = "error: interrupted; what is finished is kept, and a training goes on with the same command and --resume true"


def interrupt(command, sign, is_ready):
    """Start a command as a shell does, signal all its processes when it is ready, and return status and stderr."""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_hear_ctrl_c,
    ) as process:  # fmt: skip
        try:
            started = time.monotonic()
            while not is_ready() and process.poll() is None and time.monotonic() - started < 600:
                time.sleep(0.1)
            os.killpg(process.pid, sign)
            err = process.communicate(timeout=300)[1]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, err


def _hear_ctrl_c() -> None:
    """Undo what a shell does to the tests when it runs them in the background: their children ignore Ctrl-C too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_training_says_how_to_go_on(phantoms, tmp_path, sign):
    settings = {"dataset_dir": phantoms["acdc"], "output_dir": tmp_path / "run", "cache_dir": tmp_path / "cache"}
    settings = training("acdc", **settings, epochs=1000, num_workers=1)
    command = [sys.executable, "-m", "monai.bundle", "run", *arguments("training", config("acdc", "train"), **settings)]
    last = tmp_path / "run" / "last.pt"
    status, err = interrupt(command, sign, last.exists)
    assert status != 0
    lines = [line for line in err.splitlines() if line.strip()]
    assert lines[-1] == LINE, err
    assert "Traceback" not in err, err
    assert half_written(tmp_path) == []
    epoch = load_checkpoint(last)["epoch"]
    settings |= {"resume": "true", "max_minutes": 0.001}
    resumed = run_here(*arguments("training", config("acdc", "train"), **settings))
    assert resumed.status == 0, resumed.err
    assert load_checkpoint(last)["epoch"] >= epoch


def test_an_evaluation_with_workers_ends_in_a_line(tmp_path):
    """Labels serve as their own reference; there are enough of them that some are left when the signal comes."""
    folder, out = tmp_path / "labels", tmp_path / "out"
    folder.mkdir()
    first = odd_scans.save(folder / "case000.nii.gz", (odd_scans.voxels((96, 96, 24)) > 300).astype(np.uint8))
    for number in range(1, 1000):
        os.link(first, folder / f"case{number:03}.nii.gz")
    command = [sys.executable, "-m", "regionwise", "evaluate", "--workers", "2", "--out", str(out)]
    command += ["--predictions", str(folder), "--references", str(folder)]
    started = time.monotonic()
    status, err = interrupt(command, signal.SIGINT, lambda: time.monotonic() - started > 40)
    assert status == 130, err
    assert err.splitlines()[-1] == "interrupted: evaluate did not finish"
    assert "Traceback" not in err, err
    assert not (out / "summary.json").exists()
