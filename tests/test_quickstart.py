"""The options of the quickstart; what it runs is tested in `run_bundles`."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "quickstart.sh"


def quickstart(*options):
    return subprocess.run(["bash", SCRIPT, *options], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--datset", "acdc"], "Unknown option --datset; usage: scripts/quickstart.sh [--dataset"),
        (["acdc"], "Unknown option acdc; usage: "),
        (["--dataset"], "Option --dataset needs a value; usage: "),
        (["--dataset", "--out", "x"], "Option --dataset needs a value; usage: "),
        (["--dataset", "heart"], "Unknown dataset 'heart'; choices: acdc, brats, kits, hippocampus"),
        (["--data", "/nowhere"], "Expected a folder with the dataset at /nowhere, not found"),
    ],
)
def test_wrong_options_are_one_line(options, message):
    done = quickstart(*options)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1


def test_help_names_the_options():
    done = quickstart("--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--dataset", "--data", "--out"))
