"""Measure orders of labeling on a labeled dataset: ``python -m regionwise replay``."""

import csv
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from ..bundle.recorded import build, open_config
from ..errors import InputError
from ..evaluation.output import check_outputs, check_writable
from ..files import atomic_path, read_json, write_json
from .predictions import open_bundle, predict
from .ranking import noise_beta, rank_foreground_random, rank_random, rank_stratified
from .scores import slice_scores

CURVES, SUMMARY = "replay_curves.csv", "replay_summary.csv"
STRATEGIES = ("uncertainty", "random", "foreground_random")


def replay(
    dir: str,
    model: str,
    out: str,
    start: int = 4,
    step: int = 4,
    rounds: int = 4,
    seeds: int = 3,
    held_out: float = 0.33,
    overwrite: bool = False,
    **overrides: Any,
) -> None:
    """Replay rounds of labeling on a labeled dataset and compare the orders by the area under the budget curve.

    Per seed, part of the subjects is held out and the training starts with --start of the others. After each round
    the network ranks the rest (see next), --step subjects are labeled, and a new one is trained from scratch. The
    Dice of the held-out subjects, of the last weights, is averaged over the budget (trapezoidal rule). Writes
    replay_curves.csv and replay_summary.csv; finished trainings in the folder are used again.

    Args:
        dir: the labeled dataset, as downloaded.
        model: folder of the bundle; its configuration is run.
        out: folder to write to.
        start: number of subjects that are labeled at first.
        step: number of subjects that are labeled per round.
        rounds: number of trainings per seed and order.
        seeds: number of repetitions.
        held_out: share of the subjects to measure on.
        overwrite: replace the tables that are there already.
        overrides: of the trainings: --epochs 5 --iterations_per_epoch 100.

    Raises:
        InputError: If there are too few subjects, or a training fails.
    """
    for name, value, lowest in (("start", start, 1), ("step", step, 1), ("rounds", rounds, 2), ("seeds", seeds, 1)):
        if value < lowest:
            raise InputError(f"expected --{name} to be an integer >= {lowest}, found {value}")
    if not 0 < held_out < 1:
        raise InputError(f"expected --held_out to be a share between 0 and 1, found {held_out}")
    root = Path(out).absolute()
    check_writable(root)
    check_outputs([root / CURVES, root / SUMMARY], [], overwrite)
    trained = _Trainings(Path(model).absolute(), dir, root, overrides)
    subjects = sorted({case["subject_id"] for case in trained.cases})
    kept = round(held_out * len(subjects))
    if kept < 1 or len(subjects) - kept < start + step * (rounds - 1):
        needed = f"{start} + {step} x {rounds - 1} subjects to label"
        raise InputError(f"expected at least {needed}, found {len(subjects) - kept} beside {kept} held out")
    curves: list[dict[str, Any]] = []
    for seed in range(seeds):
        order = [subjects[index] for index in np.random.default_rng(seed).permutation(len(subjects))]
        for strategy in STRATEGIES:
            labeled, pool = order[kept : kept + start], order[kept + start :]
            for number in range(rounds):
                run = trained.run(labeled, order[:kept], seed)
                dice = _mean_dice(run / "eval" / "summary.json")
                curves.append({"seed": seed, "order": strategy, "labeled": len(labeled), "dice": dice})
                print(f"seed {seed}, {strategy}, {len(labeled)} labeled: Dice {dice:.4f}", flush=True)
                if number < rounds - 1:
                    chosen = trained.choose(strategy, pool, run, number, rounds, seed)[:step]
                    labeled, pool = [*labeled, *chosen], [one for one in pool if one not in chosen]
    _write(root / CURVES, curves)
    table = summarize(curves)
    _write(root / SUMMARY, table)
    for row in table:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


class _Trainings:
    """The trainings of a replay, each in a folder that is named by what it learns from."""

    def __init__(self, model: Path, dataset_dir: str, root: Path, overrides: Mapping[str, Any]) -> None:
        self.model, self.root, self.overrides = model, root, overrides
        self.dataset_dir = str(
            Path(dataset_dir).expanduser().absolute()
        )  # the trainings run in the folder of the bundle
        parser = open_config(model, "train", {"dataset_dir": self.dataset_dir})
        self.cases: Sequence[Mapping[str, Any]] = build(parser, "train#datalist", model)(section="all")

    def run(self, labeled: Sequence[str], held_out: Sequence[str], seed: int) -> Path:
        """Train on some subjects, evaluate on others, and return the folder."""
        numbers = {subject: index for index, subject in enumerate(sorted({case["subject_id"] for case in self.cases}))}
        name = "-".join(str(numbers[subject]) for subject in sorted(labeled))
        folder = self.root / "runs" / f"seed{seed}" / name
        if (folder / "eval" / "summary.json").is_file():
            return folder
        split = folder / "split.json"
        write_json(split, {"train": sorted(labeled), "val": sorted(held_out)})
        shared = {"dataset_dir": self.dataset_dir, "split": split, "seed": seed}
        training = {**shared, "output_dir": folder, "cache_dir": self.root / "cache", **self.overrides}
        self._call("training", "train.json", training)
        used = {"checkpoint": folder / "model_last.pt", "args_file": folder / "network.json", "tta": False}
        self._call("evaluating", "evaluate.json", {**shared, **used, "output_dir": folder / "eval"})
        return folder

    def choose(self, strategy: str, pool: Sequence[str], run: Path, number: int, rounds: int, seed: int) -> list[str]:
        """Return subjects of the pool in the order in which to label them."""
        rng = np.random.default_rng([seed, number])
        if strategy == "random":
            return [pool[index] for index in rank_random(len(pool), rng)]
        scores, foreground = self._score(pool, run)
        if strategy == "foreground_random":
            return [pool[index] for index in rank_foreground_random(foreground, rng)]
        return [pool[index] for index, _ in rank_stratified(scores, rng, noise_beta(number, rounds))]

    def _score(self, pool: Sequence[str], run: Path) -> tuple[np.ndarray, np.ndarray]:
        """Return scores (n, K) and foreground (n,) of subjects: means, or any, over their scans."""
        parser = open_bundle(str(self.model), str(run / "model_last.pt"), str(run / "network.json"))
        axis = int(build(parser, "slice_axis", self.model))
        scans = [case for case in self.cases if case["subject_id"] in pool]
        found: dict[str, list[tuple[np.ndarray, bool]]] = {subject: [] for subject in pool}
        for case, (_, probabilities) in zip(scans, predict(parser, scans), strict=True):
            rows, seen = slice_scores(probabilities, axis)
            found[case["subject_id"]].append((rows.mean(0), bool(seen.any())))
        scores = np.stack([np.mean([rows for rows, _ in found[subject]], axis=0) for subject in pool])
        return scores, np.array([any(seen for _, seen in found[subject]) for subject in pool])

    def _call(self, run_id: str, config: str, settings: Mapping[str, Any]) -> None:
        command = [sys.executable, "-m", "monai.bundle", "run", run_id]
        command += ["--config_file", str(self.model / "configs" / config)]
        command += [word for key, value in settings.items() for word in (f"--{key}", str(value))]
        done = subprocess.run(command, cwd=self.model, env=dict(os.environ), capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise InputError(f"{run_id} failed: {lines[-1].removeprefix('error: ')}")


def summarize(curves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return per order the area under the budget curve, and its difference to foreground-aware random.

    Args:
        curves: Rows of seed, order, labeled (number of subjects) and dice.

    Returns:
        Per order: the mean over seeds of the area, divided by the range of the budget; the mean difference to
        ``foreground_random`` within a seed with its 95 % t interval, and whether the interval excludes 0. A single seed
        has no interval.
    """
    areas: dict[str, list[float]] = {}
    for strategy in dict.fromkeys(row["order"] for row in curves):
        for seed in sorted({row["seed"] for row in curves}):
            rows = [row for row in curves if (row["order"], row["seed"]) == (strategy, seed)]
            budget, dice = ([float(row[key]) for row in rows] for key in ("labeled", "dice"))
            areas.setdefault(strategy, []).append(float(np.trapezoid(dice, budget)) / (budget[-1] - budget[0]))
    table = []
    for strategy, values in areas.items():
        difference = np.array(values) - np.array(areas["foreground_random"])
        low, high = _interval(difference)
        table.append(
            {
                "order": strategy,
                "seeds": len(values),
                "area": round(float(np.mean(values)), 4),
                "difference": round(float(difference.mean()), 4),
                "low": low,
                "high": high,
                "differs": "yes" if low != "" and (float(low) > 0 or float(high) < 0) else "no",
            }
        )
    return table


def _interval(values: np.ndarray) -> tuple[str, str]:
    if len(values) < 2:
        return "", ""
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return f"{values.mean() - half:.4f}", f"{values.mean() + half:.4f}"


def _mean_dice(path: Path) -> float:
    structures = read_json(path)["structures"]
    return float(np.mean([one["metrics"]["dice"]["mean"] for one in structures.values()]))


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
