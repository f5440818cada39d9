#!/usr/bin/env python
"""Time from the command of a training to its first iteration, by stage, with the cases preprocessed before.

python scripts/benchmarks/benchmark_startup.py [--bundle NAME] [--subjects N] [--turns N] [--markdown] [--folder DIR]
    [ID=VALUE ...]

The first run fills the caches (cases, compiled kernels, files in memory) and is not counted. CPU seconds include worker
processes, and say more than the clock on a machine that others use. ID=VALUE are overrides of the configuration.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from _timing import machine
from regionwise.phantoms.write import phantom

HERE = Path(__file__).resolve().parent
BUNDLES = HERE.parents[1] / "bundles"
DATASETS = {"acdc": "acdc", "brats": "brats", "kits": "kits", "hippocampus": "msd"}
TARGET_S = 12.0
LAST = "workers and first batch"  # with it, the first iteration begins


def start(bundle: str, data: Path, folder: Path, overrides: list[str]) -> dict[str, tuple[float, float]]:
    """Train two iterations and return stage to seconds and CPU seconds since the command.

    Raises:
        RuntimeError: If the training failed; the message has the end of its output.
    """
    settings = {
        "config_file": BUNDLES / f"{bundle}_rrw" / "configs" / "train.json",
        "dataset_dir": data,
        "cache_dir": folder / "cache",
        "output_dir": folder / "run",
        "epochs": 1,
        "iterations_per_epoch": 2,
        "val_interval": 2,
        **dict(override.split("=", 1) for override in overrides),
    }
    stages = folder / "stages.json"
    stages.unlink(missing_ok=True)
    command = [sys.executable, HERE / "_first_iterations.py", stages, "monai.bundle", "run", "training"]
    command += [str(part) for name, value in settings.items() for part in (f"--{name}", value)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not stages.is_file():
        raise RuntimeError(f"the training ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return json.loads(stages.read_text())


def stage_rows(runs: list[dict[str, tuple[float, float]]]) -> list[list[str]]:
    """Return a line per stage: what it took, and what all up to its end took; medians of runs."""
    rows, wall_before, cpu_before = [], 0.0, 0.0
    for stage in runs[0]:
        wall, cpu = (median(run[stage][clock] for run in runs) for clock in (0, 1))
        took = f"{wall - wall_before:.1f} s ({cpu - cpu_before:.1f} CPU s)"
        is_last = stage == LAST
        target, met = (f"<= {TARGET_S:g} s", "yes" if wall <= TARGET_S else "no") if is_last else ("", "")
        rows.append([stage, took, f"{wall:.1f} s ({cpu:.1f} CPU s)", target, met])
        wall_before, cpu_before = wall, cpu
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="ID=VALUE", help="overrides of the configuration")
    parser.add_argument("--bundle", default="hippocampus", choices=DATASETS, help="which bundle trains")
    parser.add_argument("--subjects", type=int, default=32, help="of the phantom that it trains on")
    parser.add_argument("--turns", type=int, default=3, help="runs that count")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--folder", help="where the phantom and the run go (by default a temporary folder)")
    options = parser.parse_args()
    print(machine() + "\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        data = folder / options.bundle
        if not data.is_dir():
            with contextlib.redirect_stdout(None):
                phantom(DATASETS[options.bundle], str(data), subjects=options.subjects, preset="small")
        runs = [start(options.bundle, data, folder, options.overrides) for _ in range(options.turns + 1)][1:]
    lines = [["until", "it took", "since the command", "target", "met"], *stage_rows(runs)]
    if options.markdown:
        lines.insert(1, ["---"] * 5)
    for line in lines:
        print(f"| {' | '.join(line)} |" if options.markdown else "".join(f"{cell:<28}" for cell in line).rstrip())


if __name__ == "__main__":
    main()
