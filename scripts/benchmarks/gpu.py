#!/usr/bin/env python
"""Checks and measurements on one GPU, step by step; `scripts/gpu.sh` says how to call it.

A step writes its lines to OUT/STEP.json when it is done, and OUT/table.md is made of all of them. With --toy everything
is small and short: whether the steps run, on a CPU too, not figures to quote.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from _gpu_checks import correctness_lines, speed_lines
from _gpu_trainings import precision_lines, processes_lines, resume_lines, training_lines
from _timing import machine
from regionwise.files import atomic_path

Line = tuple[str, str, str, str]  # what, result, target, met
STEPS: dict[str, Callable[[str, Path, bool], Iterator[Line]]] = {
    "correctness": correctness_lines,
    "speed": speed_lines,
    "precision": precision_lines,
    "processes": processes_lines,
    "resume": resume_lines,
    **{
        name: lambda device, out, toy, name=name: training_lines(name, device, out, toy)
        for name in ("hippocampus", "acdc", "brats", "kits")
    },
}


def run_step(name: str, device: str, out: Path, toy: bool) -> None:
    """Run a step unless it is done, and write its lines."""
    path = out / f"{name}.json"
    if path.is_file():
        print(f"{name}: done before; remove {path} to repeat it")
        return
    lines = []
    for line in STEPS[name](device, out, toy):
        print(f"{name}: " + "  ".join(line), flush=True)
        lines.append(line)
    write(path, json.dumps({"machine": machine(), "lines": lines}, indent=2) + "\n")


def table(out: Path) -> str:
    """Return what all finished steps found as Markdown."""
    text = []
    for name in STEPS:
        if (path := out / f"{name}.json").is_file():
            step = json.loads(path.read_text(encoding="utf-8"))
            text += [f"## {name}", "", step["machine"], "", "| what | result | target | met |", "|---|---|---|---|"]
            text += [f"| {' | '.join(line)} |" for line in step["lines"]] + [""]
    return "\n".join(text)


def write(path: Path, text: str) -> None:
    """Write a whole file or none."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def main() -> int:
    """Run the steps; the exit status is 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="scripts/gpu.sh", description=__doc__.split("\n", 1)[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; by default all")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder of results, data and runs")
    parser.add_argument("--device", default="cuda", help="where to run")
    parser.add_argument("--toy", action="store_true", help="small and short, to see whether the steps run")
    options = parser.parse_args()
    if unknown := [step for step in options.steps if step not in STEPS]:
        parser.error(f"Unknown step '{unknown[0]}'; choices: {', '.join(STEPS)}")
    if torch.device(options.device).type == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no GPU; --device cpu --toy tries the steps on the CPU")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.steps or STEPS:
        run_step(name, options.device, options.out, options.toy)
        write(options.out / "table.md", table(options.out))
    print(f"table: {options.out / 'table.md'}")
    found = [json.loads((options.out / f"{name}.json").read_text()) for name in options.steps or STEPS]
    return int(any(line[3] == "no" for step in found for line in step["lines"]))


if __name__ == "__main__":
    sys.exit(main())
