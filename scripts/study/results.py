"""The tables of a dataset: results of its finished cells, their comparison, validation curves and costs."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regionwise.errors import InputError
from regionwise.evaluation.cases_csv import csv_text, metric_names
from regionwise.evaluation.comparison.claims import Options
from regionwise.evaluation.comparison.compare import write_comparison
from regionwise.evaluation.comparison.paired import compare_methods
from regionwise.evaluation.comparison.patients import read_groups
from regionwise.evaluation.comparison.readers import Run, read_run
from regionwise.evaluation.comparison.results import Method
from regionwise.evaluation.output import write_texts
from regionwise.files import read_json

Cells = Mapping[str, Mapping[str, Any]]


def compare(out: Path, dataset: str) -> None:
    """Write the tables of a dataset to ``out/results/<dataset>``.

    Besides the files of ``regionwise compare``: ``cases.csv`` (every case of every cell), ``curves.csv`` (validation),
    ``cost.csv`` and ``failures.csv``. All but the cost are the same to the byte for the same cells.

    Raises:
        InputError: If fewer than two methods have results, or results of other cases.
    """
    study = read_json(out / "study.json")
    planned = {folder: cell for folder, cell in study["cells"].items() if cell["dataset"] == dataset}
    finished = {folder: cell for folder, cell in planned.items() if _is_finished(out / "cells" / folder)}
    folder = out / "results" / dataset
    methods = _methods(out, planned, finished)
    if len(methods) < 2:
        raise InputError(
            f"{dataset}: expected results of two methods or more, found {len(methods)}: nothing to compare"
        )
    names = [method.name for method in methods]
    baseline = study["baseline"] if study["baseline"] in names else names[0]
    options = Options(margins=study["margins"])
    comparison = compare_methods(methods, study["metrics"], baseline, options=options, groups=_groups(out, dataset))
    write_comparison(folder, comparison)
    write_texts({
        folder / "cases.csv": _cases(out, finished),
        folder / "curves.csv": _curves(out, finished),
        folder / "cost.csv": _costs(out, finished),
        folder / "failures.csv": _failures(out, planned, finished),
    })  # fmt: skip


def _is_finished(cell: Path) -> bool:
    return (cell / "train.json").is_file() and (cell / "evaluation.json").is_file()


def _run(out: Path, folder: str) -> Run:
    return read_run(out / "cells" / folder / "evaluation" / "cases.csv")[0]


def _methods(out: Path, planned: Cells, finished: Cells) -> list[Method]:
    """Return the methods with a run per seed, the folds together; a seed that lacks a fold is left out with a note."""
    found = []
    for name in dict.fromkeys(cell["method"] for cell in planned.values()):
        runs, notes = [], []
        for seed in dict.fromkeys(cell["seed"] for cell in planned.values()):
            own = [key for key, cell in planned.items() if (cell["method"], cell["seed"]) == (name, seed)]
            missing = [key for key in own if key not in finished]
            if missing:
                notes.append(f"{name}: seed {seed} is left out, {missing[0]} did not finish")
                continue
            run: dict = {}
            for key in own:
                run |= _run(out, key)
            runs.append(run)
        if runs:
            found.append(Method(name, tuple(runs), notes=tuple(notes)))
    return found


def _groups(out: Path, dataset: str) -> dict[str, str]:
    files = sorted((out / "data" / dataset).glob("fold*/groups.csv"))
    return {case: patient for file in files for case, patient in read_groups(file).items()}


def _cases(out: Path, cells: Cells) -> str:
    heads = ["method", "seed", "fold", "case", "structure", "status"]
    rows, metrics = [], []
    for folder, cell in cells.items():
        run = list(_run(out, folder).values())
        metrics = metrics or metric_names(run)
        keys = [cell[key] for key in heads[:3]]
        rows += [[*keys, *(row[key] for key in heads[3:]), *(row.get(metric) for metric in metrics)] for row in run]
    return csv_text([*heads, *metrics], rows)


def _curves(out: Path, cells: Cells) -> str:
    rows = [
        [cell["method"], cell["seed"], cell["fold"], epoch, dice]
        for folder, cell in cells.items()
        for epoch, dice in validation_curve(Path(read_json(out / "cells" / folder / "train.json")["weights"]).parent)
    ]
    return csv_text(["method", "seed", "fold", "epoch", "dice"], rows)


def validation_curve(run: Path) -> list[tuple[int, float]]:
    """Epoch and mean validation Dice of a training, from TensorBoard's files; an epoch done twice counts once."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curve: dict[int, float] = {}
    for file in sorted(run.glob("events.out.tfevents.*")):
        events = EventAccumulator(str(file)).Reload()
        if "val_mean_dice" in events.Tags()["scalars"]:
            curve |= {one.step: one.value for one in events.Scalars("val_mean_dice")}
    return sorted(curve.items())


def _costs(out: Path, cells: Cells) -> str:
    keys = ("wall_s", "cpu_s", "peak_memory_gib", "energy_j")
    heads = ["method", "seed", "fold", *(f"{job}_{key}" for job in ("train", "evaluate") for key in keys), "resumed"]
    rows = []
    for folder, cell in cells.items():
        train, evaluation = (
            read_json(out / "cells" / folder / f"{job}.json")["cost"] for job in ("train", "evaluation")
        )
        costs = [cost[key] for cost in (train, evaluation) for key in keys]
        rows.append([cell["method"], cell["seed"], cell["fold"], *costs, "yes" if train["resumed"] else "no"])
    return csv_text(heads, rows)


def _failures(out: Path, planned: Cells, finished: Cells) -> str:
    """Return the cells that did not finish and those whose training said that it collapsed, with what they said."""
    rows = []
    for folder, cell in planned.items():
        names = [cell["method"], cell["seed"], cell["fold"]]
        if folder not in finished:
            rows.append([*names, "did not finish", _last_words(out, cell, folder)])
            continue
        told = read_json(out / "cells" / folder / "train.json")["collapses"]
        rows += [[*names, "collapse" if "collapsed" in line else "structure missed", line] for line in told]
    return csv_text(["method", "seed", "fold", "kind", "line"], rows)


def _last_words(out: Path, cell: Mapping[str, Any], folder: str) -> str:
    method = Path(folder).parent.name
    for job in ("evaluate", "train"):
        log = out / "logs" / job / f"{cell['dataset']}_fold{cell['fold']}_{method}_seed{cell['seed']}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
        if lines and lines[-1].startswith("error: "):
            return lines[-1].removeprefix("error: ").replace(str(out), "OUT")
    return "not started, or killed"


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of one of these CSV files, as text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
