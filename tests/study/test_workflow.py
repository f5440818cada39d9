import os
import re
import subprocess

import pytest

from .conftest import ROOT, STUDY


def dry_run(snakemake, out, **config):
    command = [snakemake, "--snakefile", STUDY / "Snakefile", "--directory", out, "--dry-run", "--quiet", "host"]
    command += ["--workflow-profile", STUDY / "profiles" / "local", "--config"]
    command += [f"{key}={value}" for key, value in config.items()]
    return subprocess.run([*map(str, command), "--", "all"], capture_output=True, text=True, timeout=120, check=False)


def counts(text):
    """Return rule to number of jobs, from the table of the dry run."""
    return {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}


def test_paper_is_45_trainings(snakemake, tmp_path):
    before = os.times()
    done = dry_run(snakemake, tmp_path, preset="paper", data="phantom")
    after = os.times()
    # A plan, not a computation; CPU time, since the machine may be busy.
    assert after.children_user + after.children_system - before.children_user - before.children_system < 10
    jobs = counts(done.stdout + done.stderr)
    assert jobs == {
        "prepare": 3, "train": 45, "evaluate": 45, "compare": 3, "report": 1, "all": 1, "total": 98,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"preset": "papr"}, "error: Unknown preset 'papr'; did you mean 'paper'?"),
        ({"preset": "paper", "data": "/nowhere"}, "error: expected a folder with the dataset acdc at /nowhere/acdc"),
        ({"preset": "hippocampus"}, "error: preset 'hippocampus' needs data: pass --data DIR"),
        ({"preset": "paper", "table": "/nowhere.yaml"}, "error: cannot read the study table /nowhere.yaml"),
    ],
)
def test_a_wrong_study_is_one_line(snakemake, tmp_path, config, message):
    done = dry_run(snakemake, tmp_path, **config)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "study.json").exists()


def script(*options):
    command = ["bash", ROOT / "scripts" / "study.sh", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Expected a preset; usage: scripts/study.sh PRESET"),
        (["--datas", "x"], "Unknown option --datas; usage: "),
        (["paper", "phantom"], "Expected one preset, got paper and phantom; usage: "),
        (["paper", "--data"], "Option --data needs a value; usage: "),
        (["paper", "--jobs", "two"], "Expected --jobs as a number from 1 on, got two"),
        (["paper", "--profile", "cloud"], "Unknown profile 'cloud'; choices: local, slurm"),
    ],
)
def test_wrong_options_are_one_line(options, message):
    done = script(*options)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
