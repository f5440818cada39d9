#!/usr/bin/env python
"""Dice of the hippocampus recipe with samples augmented on the device and in the workers: pairs of short trainings.

python scripts/benchmarks/augmentation_place.py DIR --out FOLDER [--pairs 2] [--iterations 300] [ID=VALUE ...]

DIR holds cases in the layout of MSD Task04. Both trainings of a pair have the same seed, training cases and held-out
cases, but not the same random numbers: the two ways draw them differently, so that the difference has the noise of a
repeated training in it. A run that is in FOLDER already is not made again. The
settings are those of short trainings (see _bundles.py), without compilation.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from _bundles import run, train, trained
from _timing import machine
from fire.parser import DefaultParseValue
from regionwise.datasets import read_cases
from regionwise.evaluation.cases_csv import read_rows
from scipy import stats

PLACES = ("device", "workers")
LEVEL = 0.95


def write_split(data: str, path: Path, train: int, held_out: int) -> None:
    """Write a split of randomly chosen subjects.

    Raises:
        ValueError: If there are not that many.
    """
    subjects = sorted({case["subject_id"] for case in read_cases("msd", data)})
    if len(subjects) < train + held_out:
        raise ValueError(f"expected at least {train + held_out} subjects in {data}, found {len(subjects)}")
    order = [subjects[index] for index in np.random.default_rng(0).permutation(len(subjects))]
    path.write_text(json.dumps({"train": sorted(order[:train]), "val": sorted(order[train : train + held_out])}))


def train_and_evaluate(data: str, out: Path, place: str, seed: int, iterations: int, overrides: dict) -> float:
    """Train in ``out/PLACE-SEED``, evaluate the last weights on the held-out cases, and return the training's CPU s."""
    folder = out / f"{place}-{seed}"
    shared = {"dataset_dir": data, "split": str(out / "split.json"), "seed": seed}
    seconds = train("hippocampus", folder, iterations, augmentation=place, **shared, **overrides)
    if not (folder / "eval" / "cases.csv").is_file():
        settings = {**trained(folder), **shared, "output_dir": str(folder / "eval"), "probabilities": False}
        run("hippocampus", "evaluating", ("evaluate",), **settings)
    return seconds


def dice_of_cases(folder: Path) -> dict[str, float]:
    """Return case to the mean Dice of both structures."""
    found: dict[str, list[float]] = {}
    for row in read_rows(folder / "eval" / "cases.csv"):
        found.setdefault(row["case"], []).append(row["dice"])
    return {case: float(np.mean(values)) for case, values in found.items()}


def interval(values: np.ndarray) -> str:
    """Return the mean of independent values with its 95 % interval (Student's t)."""
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():+.4f} (95 %: {values.mean() - half:+.4f} to {values.mean() + half:+.4f})"


def main() -> None:
    """Make the runs that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="folder with cases in the layout of MSD Task04")
    parser.add_argument("overrides", nargs="*", metavar="ID=VALUE", help="overrides of the training")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--pairs", type=int, default=2, help="seeds")
    parser.add_argument("--iterations", type=int, default=300, help="of each training")
    parser.add_argument("--train", type=int, default=32, help="subjects to train on")
    parser.add_argument("--held_out", type=int, default=30, help="subjects to evaluate on")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    write_split(options.data, options.out / "split.json", options.train, options.held_out)
    overrides = {
        name: DefaultParseValue(value) for name, _, value in (text.partition("=") for text in options.overrides)
    }
    print(
        machine() + "\n\n| seed | device | workers | device - workers, over patients |\n|---|---|---|---|", flush=True
    )
    differences, seconds = [], dict.fromkeys(PLACES, 0.0)
    for seed in range(options.pairs):
        found = {}
        for place in PLACES:
            seconds[place] += train_and_evaluate(options.data, options.out, place, seed, options.iterations, overrides)
            found[place] = dice_of_cases(options.out / f"{place}-{seed}")
        differences.append(np.array([found["device"][case] - found["workers"][case] for case in found["workers"]]))
        means = " | ".join(f"{np.mean(list(found[place].values())):.4f}" for place in PLACES)
        print(f"| {seed} | {means} | {interval(differences[-1])} |", flush=True)
    if len(differences) > 1:
        print(f"| mean | | | {interval(np.mean(differences, axis=0))} |")
        print(f"\nOver runs: {interval(np.mean(differences, axis=1))}, {len(differences)} pairs")
    print("CPU seconds of the trainings: " + ", ".join(f"{place} {value:.0f}" for place, value in seconds.items()))


if __name__ == "__main__":
    main()
