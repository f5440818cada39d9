#!/usr/bin/env python
"""Measure what modality dropout gains where modalities are missing, on synthetic scans in BraTS's layout.

python scripts/benchmarks/gains_modalities.py --out FOLDER [--iterations 600] [--subjects 20] [--size 96]

Four trainings that differ in nothing else: of the network with presence channels without dropout, with dropout in
every sample and in half of them, and of the HeMIS-style network with dropout in every sample. Every other subject
trains, the rest are segmented with each of the 15 subsets of T2, T1, T1ce and FLAIR; a missing modality is zero after
the z-score, with its presence channel at 0. A training that is in FOLDER already is not made again.
"""

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path

from _bundles import row, run, train, trained, write_phantom
from _timing import machine

HEMIS = {"network_def#_target_": "regionwise.modalities.HemisDynUNet"}
RUNS = {
    "without dropout": {"modality_dropout": 0.0},
    "dropout, presence channels": {"modality_dropout": 1.0},
    "dropout in half of the samples, presence channels": {"modality_dropout": 0.5},
    "dropout, HeMIS fusion": {"modality_dropout": 1.0, **HEMIS},
}
Table = dict[str, dict[str, float]]  # row of modality_subsets.csv to column to Dice


def measure(out: Path, data: Path, name: str, iterations: int, size: int) -> tuple[Table, float]:
    """Train and evaluate once; return the table of subsets and the CPU seconds of the training."""
    folder, settings = out / name.replace(" ", "_").replace(",", ""), RUNS[name]
    shared = {"dataset_dir": str(data), "patch_size": [size, size]}
    seconds = train("brats", folder, iterations, "modalities_train", batch_size=8, **shared, **settings)
    table = folder / "eval" / "modality_subsets.csv"
    if not table.is_file():
        given = {**trained(folder), **shared, "output_dir": str(table.parent)}
        run("brats", "subsets", ("evaluate", "modalities"), **given)
    return read_table(table), seconds


def read_table(path: Path) -> Table:
    """Read modality_subsets.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["modalities"]: {key: float(row[key]) for key in row if key not in ("modalities", "n")} for row in rows}


def lines(tables: Mapping[str, Table], seconds: Mapping[str, float]) -> list[str]:
    """Return one table per training in Markdown, subsets by regions, then how they compare with the first."""
    first = next(iter(tables))
    printed = []
    for name, table in tables.items():
        columns = list(next(iter(table.values())))
        printed += [f"{name}; training {seconds[name]:.0f} CPU seconds", ""]
        printed += [row(["modalities", *columns]), row(["---"] * (1 + len(columns)))]
        printed += [row([kept, *(f"{values[key]:.3f}" for key in columns)]) for kept, values in table.items()]
        printed.append("")
    printed += [
        row(["against training without", "all modalities", "mean over subsets", "worst subset"]),
        row(["---"] * 4),
    ]
    whole = next(iter(tables[first]))
    for name, table in list(tables.items())[1:]:
        changes = [
            table[kept]["mean"] - tables[first][kept]["mean"] for kept in (whole, "mean over subsets", "worst subset")
        ]
        printed.append(row([name, *(f"{change:+.3f}" for change in changes)]))
    return [*printed, "", "Targets: all modalities >= -0.01, mean over subsets >= +0.10."]


def main() -> None:
    """Make the runs that are missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the data and the trainings")
    parser.add_argument("--iterations", type=int, default=600, help="of each training, 8 slices each")
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--size", type=int, default=96, help="in-plane voxels")
    args = parser.parse_args()
    data = write_phantom(args.out / "data", "brats", args.subjects, args.size)
    measured = {name: measure(args.out, data, name, args.iterations, args.size) for name in RUNS}
    tables, seconds = ({name: pair[part] for name, pair in measured.items()} for part in (0, 1))
    print(machine(), "\n".join(lines(tables, seconds)), sep="\n\n")


if __name__ == "__main__":
    main()
