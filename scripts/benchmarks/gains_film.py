#!/usr/bin/env python
"""Measure what a network gains from knowing the scanner, on scans that cannot be segmented without it.

python scripts/benchmarks/gains_film.py --out FOLDER [--iterations 250] [--patients 24]

A bright and a dark disk lie in each scan: the ventricle is the bright one of scanner A, the dark one of scanner B.
ACDC's bundle is trained with configs/film_train.json and the patients' scanners, with the same scanners shuffled over
the patients, and without metadata; the first training is also evaluated with shuffled scanners. Even patients train,
odd ones are evaluated. A training that is in FOLDER already is not made again.
"""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np
from _bundles import NETWORK, dice_of_patients, difference, row, run, train, trained
from _timing import machine

SIZE = 32
STRUCTURE = "RV"
FILM = {"metadata": {"Scanner": ["A", "B"]}}
GRID = {"preprocessing#transforms#1#pixdim": [3.0, 3.0, -1]}
SETTINGS = {
    **{f"train#{key}": value for key, value in GRID.items()},
    "filters": [width // 2 for width in NETWORK["filters"]],
    "patch_size": [SIZE, SIZE],
    "batch_size": 8,
    "learning_rate": 0.005,
    "loss": "dice_ce",
    "train#augmentation#frequency": 0.0,
}
# Name to: scanners in the training, in the evaluation; None for the network without metadata.
RUNS = {
    "with the scanner": ("true", "true"),
    "trained with it, evaluated with shuffled scanners": ("true", "shuffled"),
    "trained and evaluated with shuffled scanners": ("shuffled", "shuffled"),
    "without metadata": (None, "true"),
}


def write_scanner_phantom(root: Path, patients: int = 8, size: int = SIZE, shuffled: bool = False) -> Path:
    """Write ACDC's layout with two disks per frame; half of the patients of either side of the split per scanner."""
    affine = np.diag([3.0, 3, 8, 1])
    x, y = np.mgrid[:size, :size]
    scanners = {number: "AB"[number // 2 % 2] for number in range(1, patients + 1)}
    written = dict(scanners)
    if shuffled:
        written = dict(zip(scanners, np.random.default_rng(0).permutation(list(scanners.values())), strict=True))
    for number, scanner in scanners.items():
        rng = np.random.default_rng(number)
        folder = root / f"patient{number:03d}"
        folder.mkdir(parents=True)
        (folder / "Info.cfg").write_text(f"ED: 1\nES: 2\nGroup: NOR\nScanner: {written[number]}\n")
        for frame in (1, 2):
            sides = rng.permutation([9, 23])
            bright, dark = ((x - side) ** 2 + (y - rng.integers(9, 23)) ** 2 < 36 for side in sides)
            image = 100 + 60.0 * bright - 60.0 * dark
            image = np.repeat(image[..., None], 3, 2) + rng.normal(0, 5, (size, size, 3))
            label = np.repeat((bright if scanner == "A" else dark)[..., None], 3, 2).astype(np.uint8)
            name = folder / f"{folder.name}_frame{frame:02d}"
            nib.save(nib.Nifti1Image(image.astype(np.float32), affine), f"{name}.nii.gz")
            nib.save(nib.Nifti1Image(label, affine), f"{name}_gt.nii.gz")
    return root


def measure(out: Path, name: str, iterations: int) -> dict[str, float]:
    """Train and evaluate; return patient to Dice."""
    given, shown = RUNS[name]
    folder = out / ("plain" if given is None else given)
    overlay, used = ((), {}) if given is None else (("film",), FILM)
    data = out / f"data_{given or 'true'}"
    train("acdc", folder, iterations, *(f"{one}_train" for one in overlay), dataset_dir=str(data), **SETTINGS, **used)
    evaluation = folder / f"eval_{shown}"
    if not (evaluation / "cases.csv").is_file():
        settings = {**trained(folder), **GRID, **used, "dataset_dir": str(out / f"data_{shown}")}
        run("acdc", "evaluating", ("evaluate", *overlay), output_dir=str(evaluation), **settings)
    return dice_of_patients(evaluation, STRUCTURE)


def main() -> None:
    """Make the runs that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the data and the trainings")
    parser.add_argument("--iterations", type=int, default=250, help="of each training, 8 slices each")
    parser.add_argument("--patients", type=int, default=24)
    args = parser.parse_args()
    for name in ("true", "shuffled"):
        if not (args.out / f"data_{name}").is_dir():
            write_scanner_phantom(args.out / f"data_{name}", args.patients, shuffled=name == "shuffled")
    results = {name: measure(args.out, name, args.iterations) for name in RUNS}
    first = results["with the scanner"]
    print(machine(), end="\n\n")
    print(row(["metadata", "Dice", "less than with the scanner, 95 % over patients"]), row(["---"] * 3), sep="\n")
    for name, values in results.items():
        change = "" if values is first else difference(values, first)
        print(row([name, f"{sum(values.values()) / len(values):.3f}", change]))


if __name__ == "__main__":
    main()
