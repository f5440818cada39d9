"""Run bundles in this process, on one thread's CPU time, at the size of short trainings on synthetic scans."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import monai.bundle
from regionwise.evaluation.cases_csv import read_rows
from regionwise.evaluation.comparison.bootstrap import two_level_bootstrap
from regionwise.evaluation.comparison.clusters import cluster_means
from regionwise.phantoms.write import phantom

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
NETWORK = {"filters": [16, 32, 64, 128], "kernel_size": [3, 3, 3, 3], "upsampling": [2, 2, 2]}
# As in scripts/quickstart.sh; the processes of a loader would compute outside of what is measured.
SHORT = {
    **NETWORK,
    "loss": "rrw:annealed+dice:equal",
    "learning_rate": 0.004,
    "train#augmentation#frequency": 0.5,
    "train#trainer#compile": False,
    "num_workers": 0,
    "device": "cpu",
}
USED = {"num_workers": 0, "device": "cpu", "tta": False}
EPOCHS = 5


def write_phantom(folder: Path, dataset: str, subjects: int, size: int, preset: str = "full") -> Path:
    """Write a synthetic dataset unless it is there, and return its folder."""
    if not folder.is_dir():
        phantom(dataset, str(folder), subjects=subjects, seed=0, size=size, preset=preset)
    return folder


def run(bundle: str, run_id: str, files: tuple[str, ...], **settings: Any) -> float:
    """Run a configuration of a bundle, overlays after the first file, and return the CPU seconds of this process."""
    configs = [str(BUNDLES / f"{bundle}_rrw" / "configs" / f"{name}.json") for name in files]
    started = time.process_time()
    monai.bundle.run(run_id, config_file=configs, **settings)
    return time.process_time() - started


def train(bundle: str, folder: Path, iterations: int, *overlays: str, **settings: Any) -> float:
    """Train a bundle unless the folder holds the training, and return the CPU seconds it took."""
    record = folder / "cpu_seconds.json"
    if not record.is_file():
        length = {"epochs": EPOCHS, "iterations_per_epoch": max(1, iterations // EPOCHS), "val_interval": EPOCHS}
        given = {**SHORT, **length, "output_dir": str(folder), "cache_dir": str(folder.parent / "cache"), **settings}
        seconds = run(bundle, "training", ("train", *overlays), **given)
        record.write_text(json.dumps(seconds))
    return json.loads(record.read_text())


def trained(folder: Path) -> dict[str, Any]:
    """Return the overrides with which an evaluation uses a training."""
    return {**USED, "checkpoint": str(folder / "model_last.pt"), "args_file": str(folder / "network.json")}


def dice_of_patients(evaluation: Path, structure: str) -> dict[str, float]:
    """Return patient to mean Dice over their scans of a structure, from an evaluation's cases.csv."""
    rows = [row for row in read_rows(evaluation / "cases.csv") if row["structure"] == structure]
    patients = [str(row["case"]).partition("_frame")[0] for row in rows]
    return dict(zip(dict.fromkeys(patients), cluster_means([row["dice"] for row in rows], patients), strict=True))


def difference(one: dict[str, float], other: dict[str, float]) -> str:
    """Return the mean difference one - other over patients with its 95 % interval (bootstrap over patients)."""
    values = [value - other[patient] for patient, value in one.items()]
    interval = two_level_bootstrap(values)
    bounds = "" if interval is None else f" [{interval.low:+.3f}, {interval.high:+.3f}]"
    return f"{sum(values) / len(values):+.3f}{bounds}"


def row(cells: Sequence[str]) -> str:
    """Return a line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"
