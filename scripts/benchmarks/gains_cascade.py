#!/usr/bin/env python
"""Measure what two stages gain over one on the tumors of synthetic scans in KiTS19's layout.

python scripts/benchmarks/gains_cascade.py --out FOLDER [--iterations 400] [--subjects 20] [--size 128]

Three trainings of as many voxels each: one stage on slices of half the size, as the bundle's 256 of 512; one stage on
whole slices; two stages, of which the first locates the kidneys on slices of half the size (two short trainings, each
on half of the training cases, predict the boxes of the other half) and the second segments the boxes in whole slices.
The scans are those of the phantom's preset `small`. Even cases train, odd ones are segmented; their boxes come from the
first of the short trainings. Dice, CPU seconds of training and of inference. A training that is in FOLDER already is
not made again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from _bundles import dice_of_patients, difference, row, run, train, trained, write_phantom
from _timing import machine
from regionwise.evaluation.cases_csv import read_rows

STRUCTURES = ("kidney", "tumor")
RESIZED = "preprocessing#transforms#1#spatial_size"
FOUND = 0.1  # Dice from which a tumor counts as found
LOCATE_SHARE = 5  # one in so many iterations for each training of the first stage


class Experiment:
    """The data, the trainings and the evaluations of one folder."""

    def __init__(self, out: Path, iterations: int, subjects: int, size: int) -> None:
        self.out, self.iterations, self.size = out, iterations, size
        self.data = write_phantom(out / "data", "kits", subjects, size, "small")
        cases = sorted(folder.name for folder in self.data.iterdir())
        halves = [cases[0::4], cases[2::4]]  # of the even ones
        self.splits = [out / f"half{number}.json" for number in (0, 1)]
        for number, file in enumerate(self.splits):
            file.write_text(json.dumps({"train": halves[number], "val": halves[1 - number]}))

    def train(self, name: str, iterations: int, *overlays: str, **settings: Any) -> float:
        """Train once and return the CPU seconds."""
        shared = {"dataset_dir": str(self.data), "split": "paper", "foreground_fraction": 0.67}
        return train("kits", self.out / name, iterations, *overlays, **{**shared, **settings})

    def segment(self, name: str, out: str, *overlays: str, **settings: Any) -> tuple[Path, float]:
        """Segment and evaluate cases with a training; return the folder and the CPU seconds of the inference alone."""
        folder, files = self.out / name / out, ("evaluate", *overlays)
        record = folder / "cpu_seconds.json"
        if not record.is_file():
            shared = {"dataset_dir": str(self.data), "split": "paper", "output_dir": str(folder)}
            given = {**trained(self.out / name), **shared, **settings}
            seconds = run("kits", "evaluating", files, run=["$@evaluator.run()"], **given)
            run("kits", "evaluating", files, run=["$@report()"], **given)
            record.write_text(json.dumps(seconds))
        return folder, json.loads(record.read_text())

    def one_stage(self, size: int) -> tuple[Path, float, float]:
        """Train and evaluate on slices of a size; return the evaluation, CPU seconds of training and of inference."""
        name, grid = f"one_stage_{size}", {RESIZED: [-1, size, size]}
        batch = max(1, round(8 * (self.size / 2 / size) ** 2))
        settings = {f"train#{key}": value for key, value in grid.items()}
        spent = self.train(name, self.iterations, patch_size=[size, size], batch_size=batch, **settings)
        folder, seconds = self.segment(name, "eval", **grid)
        return folder, spent, seconds

    def two_stages(self) -> tuple[Path, float, float]:
        """Train and evaluate two stages; return as `one_stage`."""
        half = self.size // 2
        grid = {RESIZED: [-1, half, half]}
        coarse = {f"train#{key}": value for key, value in grid.items()} | {"patch_size": [half, half], "batch_size": 8}
        spent, priors = 0.0, []
        for number, split in enumerate(self.splits):
            name, short = f"locate{number}", max(1, self.iterations // LOCATE_SHARE)
            spent += self.train(name, short, split=str(split), **coarse)
            folder, seconds = self.segment(name, "eval_half", split=str(split), **grid)
            spent += seconds
            priors.append(str(folder))
        boxes, located = self.segment("locate0", "eval", **grid)
        given = {"prior_dir": [*priors, str(boxes)], "split": "paper"}
        # Most boxes fit: two thirds of the width, three eighths of the height.
        patch = {"patch_size": [8 * round(self.size * part / 8) for part in (3 / 8, 2 / 3)], "batch_size": 8}
        rest = self.iterations - 2 * (self.iterations // LOCATE_SHARE)
        spent += self.train("two_stages", rest, "cascade_train", **patch, **given)
        folder, seconds = self.segment("two_stages", "eval", "cascade", **given)
        return folder, spent, located + seconds


def count_found(evaluation: Path) -> str:
    """Return how many of the tumors overlap with what was predicted."""
    rows = [one for one in read_rows(evaluation / "cases.csv") if one["structure"] == "tumor"]
    dice = [float(one["dice"]) for one in rows if one["status"] in ("TP", "FN")]
    return f"{sum(value >= FOUND for value in dice)} of {len(dice)}"


def main() -> None:
    """Make the runs that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the data and the trainings")
    parser.add_argument("--iterations", type=int, default=400, help="of 8 slices of half the size, or as many voxels")
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--size", type=int, default=128, help="rows of a slice")
    args = parser.parse_args()
    experiment = Experiment(args.out, args.iterations, args.subjects, args.size)
    results = {
        f"one stage at {args.size // 2} x {args.size // 2}": experiment.one_stage(args.size // 2),
        f"one stage at {args.size} x {args.size}": experiment.one_stage(args.size),
        "two stages": experiment.two_stages(),
    }
    print(machine(), end="\n\n")
    heads = ["", *STRUCTURES, "tumors found", "training, CPU s", "inference, CPU s"]
    print(row(heads), row(["---"] * len(heads)), sep="\n")
    for name, (folder, spent, seconds) in results.items():
        dice = [dice_of_patients(folder, structure) for structure in STRUCTURES]
        means = [f"{sum(values.values()) / len(values):.3f}" for values in dice]
        print(row([name, *means, count_found(folder), f"{spent:.0f}", f"{seconds:.0f}"]))
    *one, (two, _, seconds) = results.values()
    for name, (folder, _, other) in zip(results, one, strict=False):
        gain = difference(dice_of_patients(two, "tumor"), dice_of_patients(folder, "tumor"))
        print(
            f"\nTwo stages against {name}: tumor {gain} (95 % over cases), {seconds / other:.2f} of the inference time"
        )


if __name__ == "__main__":
    main()
