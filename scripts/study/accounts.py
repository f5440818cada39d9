"""What the page says of the runs: failures, cost, and how they were computed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from regionwise.evaluation.stripes import EXCESS
from regionwise.files import read_json
from render import Code, Heading, Items, Part, Table, Text
from results import read_table
from runs import Cells


def failures(folder: Path) -> list[Part]:
    """Failures, collapses and striped runs of a dataset."""
    rows = read_table(folder / "failures.csv")
    items = [f"`{row['method']}`, seed {row['seed']}: {row['kind']} - {row['line']}" for row in rows]
    return [
        Heading("Failures and collapses", 3),
        Items(items) if items else Text("None."),
        Text(
            "Looked for: runs that did not finish; trainings that said that they collapsed; structures that the final "
            "weights never predict; stripes, predictions in which labels change back one voxel later, as in a "
            "checkerboard. A run is striped where, along an axis, the share of such changes among all label changes of "
            f"its predictions exceeds twice the references' by more than {EXCESS:g}; `stripes.csv` has every case."
        ),
    ]


def costs(folder: Path) -> list[Part]:
    """Mean cost of the runs of each loss."""
    rows = read_table(folder / "cost.csv")
    table = []
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]

        def mean(column: str, own: list[dict[str, str]] = own) -> str:
            values = [float(row[column]) for row in own if row[column]]
            return f"{np.mean(values):.1f}" if values else "-"

        resumed = sum(row["resumed"] == "yes" for row in own)
        columns = ("train_wall_s", "train_cpu_s", "train_peak_memory_gib", "evaluate_wall_s", "train_energy_j")
        table.append([method, str(len(own)), *map(mean, columns), str(resumed)])
    heads = ["loss", "runs", "training (s)", "CPU time (s)", "memory (GiB)", "evaluation (s)", "energy (J)", "resumed"]
    return [
        Heading("Cost per cell", 3),
        Table(heads, table),
        Text("Means over runs; of a resumed run only its last part. Energy: - where no counter can be read."),
    ]


def reproduction(out: Path, study: Mapping[str, Any]) -> list[Part]:
    """Commands, versions, machines and digests."""
    records = _records(out, study["cells"])
    if not records:
        return []
    first = records[0]
    machines = {(one["machine"]["cpu"], *one["machine"]["units"], *one["machine"]["gpus"]) for one in records}
    digests = {key: sorted({one[key] for one in records}) for key in ("package_sha256", "data_sha256")}
    data = "phantom" if study["data"] == "phantom" else "DIR"
    commands = [f"scripts/study.sh {study['preset']} --data {data} --out OUT", "", _shown(first)]
    versions = ", ".join(f"{name} {number}" for name, number in first["versions"].items() if number)
    return [
        Heading("How it was computed"),
        Code("\n".join(commands)),
        Items([
            "The second line is the training of the first cell; the others differ in loss and seed.",
            f"Versions: {versions}; Python {first['machine']['python']}.",
            *(f"Machine: {', '.join(one)}, {first['machine']['threads'] or 'all'} thread(s) per training."
              for one in sorted(machines)),
            *(f"{key.removesuffix('_sha256')} SHA-256: `{digest}`" for key, own in digests.items() for digest in own),
        ]),
    ]  # fmt: skip


def _records(out: Path, cells: Cells) -> list[dict[str, Any]]:
    files = [out / "cells" / folder / "train.json" for folder in cells]
    return [read_json(file) for file in files if file.is_file()]


def _shown(record: Mapping[str, Any]) -> str:
    """Return a cell's command without the paths of the machine it ran on."""
    words = ["python", *record["command"][1:]]
    at = words.index("--dataset_dir") + 1
    words[at] = "DIR"
    root = words[words.index("--bundle_root") + 1].removesuffix(f"/bundles/{record['spec']['bundle']}")
    out = words[words.index("--output_dir") + 1].partition("/cells/")[0]
    words = [word.replace(out, "OUT").replace(f"{root}/", "") for word in words]
    return " ".join(f'"{word}"' if any(mark in word for mark in " [") else word for word in words)
