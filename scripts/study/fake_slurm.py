#!/usr/bin/env python3
"""A stand-in for Slurm on one machine, to try the profile without a cluster: jobs are processes of this machine.

    python scripts/study/fake_slurm.py DIR
    PATH="DIR:$PATH" scripts/study.sh phantom --profile slurm

writes the commands that Snakemake's executor calls (sbatch, sacct, squeue, scancel, sinfo, srun) to DIR. Every job
starts at once, as many as the workflow submits; memory, time, GPUs and partitions are not looked at. Jobs and their
states are kept in DIR/jobs.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

COMMANDS = ("sbatch", "sacct", "squeue", "scancel", "sinfo", "srun", "sacctmgr")
# Runs the job, then notes how it ended; a job without that note, whose process is gone, was killed.
WRAPPER = 'sh -c "$1" > "$2" 2>&1; status=$?; echo $status > "$3"; exit $status'


def install(folder: Path) -> None:
    """Write the commands, each a call of this file by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COMMANDS:
        path = folder / name
        path.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "{folder.resolve()}" {name} "$@"\n'
        )
        path.chmod(0o755)


def sbatch(folder: Path, words: list[str]) -> int:
    """Start a job and print its number."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--job-name")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--wrap")
    given, _ = parser.parse_known_args(words)
    jobs = folder / "jobs"
    jobs.mkdir(exist_ok=True)
    number = next(number for number in range(1, 1_000_000) if _claim(jobs / f"{number}.name", given.job_name))
    output = str(given.output).replace("%j", str(number))
    # A job does not see that it was submitted from another one.
    environment = {**os.environ, "SLURM_JOB_ID": str(number)}
    process = subprocess.Popen(
        ["sh", "-c", WRAPPER, "job", given.wrap, output, str(jobs / f"{number}.status")],
        env=environment, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    (jobs / f"{number}.pid").write_text(str(process.pid))
    print(number)
    return 0


def sacct(folder: Path, words: list[str]) -> int:
    """Print number and state of the jobs of one name."""
    name = words[words.index("--name") + 1] if "--name" in words else ""
    for path in sorted((folder / "jobs").glob("*.name"), key=lambda path: int(path.stem)):
        if path.read_text() == name:
            print(f"{path.stem}|{_state(path)}")
    return 0


def scancel(folder: Path, words: list[str]) -> int:
    """End jobs with all their processes."""
    for number in (word for word in words if word.isdigit()):
        path = folder / "jobs" / f"{number}.pid"
        if path.is_file():
            try:
                os.killpg(int(path.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                continue
    return 0


def srun(folder: Path, words: list[str]) -> int:
    """Run a command in this job; srun's own options come first."""
    while words and words[0].startswith("-"):
        words = words[1:]
    return subprocess.run(words, check=False).returncode


def _claim(path: Path, name: str) -> bool:
    try:
        with path.open("x") as file:
            file.write(name)
    except FileExistsError:
        return False
    return True


def _state(path: Path) -> str:
    status, process = path.with_suffix(".status"), path.with_suffix(".pid")
    if status.is_file() and (text := status.read_text().strip()):
        return "COMPLETED" if text == "0" else "FAILED"
    return "RUNNING" if not process.is_file() or _is_alive(process.read_text()) else "CANCELLED"


def _is_alive(process: str) -> bool:
    try:
        # The state comes after the name, which is in parentheses; Z has ended and waits for its parent.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main() -> int:
    """Install the commands, or be one of them."""
    if len(sys.argv) == 2:
        install(Path(sys.argv[1]))
        return 0
    folder, name, words = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    calls = {"sbatch": sbatch, "sacct": sacct, "squeue": sacct, "scancel": scancel, "srun": srun}
    return calls[name](folder, words) if name in calls else 0


if __name__ == "__main__":
    sys.exit(main())
