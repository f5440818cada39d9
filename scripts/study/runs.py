"""The tables of a dataset's runs: validation curves, stripes, costs, failures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regionwise.evaluation.cases_csv import csv_text, read_rows
from regionwise.files import read_json

Cells = Mapping[str, Mapping[str, Any]]
NAMES = ("method", "seed", "fold")


def is_finished(cell: Path) -> bool:
    """Return whether a cell is trained and evaluated."""
    return (cell / "train.json").is_file() and (cell / "evaluation.json").is_file()


def unfinished(out: Path) -> list[str]:
    """Cells without results and datasets without tables, each with the last error of its job, one line each."""
    cells: Cells = read_json(out / "study.json")["cells"]
    lines = [
        f"{folder}: {_last_words(out, cell, folder)}"
        for folder, cell in cells.items()
        if not is_finished(out / "cells" / folder)
    ]
    tables = {cell["dataset"]: out / "results" / cell["dataset"] / "comparison.json" for cell in cells.values()}
    missing = [dataset for dataset, file in tables.items() if not file.is_file()]
    return lines + [f"tables of {dataset}: {_error(out, f'compare_{dataset}') or 'not made'}" for dataset in missing]


def curves_csv(out: Path, cells: Cells) -> str:
    """Mean validation Dice of every run by epoch, as CSV."""
    rows = [
        [*_names(cell), epoch, dice]
        for folder, cell in cells.items()
        for epoch, dice in validation_curve(Path(read_json(out / "cells" / folder / "train.json")["weights"]).parent)
    ]
    return csv_text([*NAMES, "epoch", "dice"], rows)


def validation_curve(run: Path) -> list[tuple[int, float]]:
    """Epoch and mean validation Dice of a training, from TensorBoard's files; an epoch done twice counts once."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curve: dict[int, float] = {}
    for file in sorted(run.glob("events.out.tfevents.*")):
        events = EventAccumulator(str(file)).Reload()
        if "val_mean_dice" in events.Tags()["scalars"]:
            curve |= {one.step: one.value for one in events.Scalars("val_mean_dice")}
    return sorted(curve.items())


def stripes_csv(out: Path, cells: Cells) -> str:
    """Stripes of every prediction beside those of its reference (`regionwise.evaluation.stripes`), as CSV."""
    rows = [
        [*_names(cell), case, one["axis"], one["prediction"], one["reference"], "yes" if one["found"] else "no"]
        for folder, cell in cells.items()
        for case, one in _stripes(out, folder)["cases"].items()
    ]
    return csv_text([*NAMES, "case", "axis", "prediction", "reference", "striped"], rows)


def costs_csv(out: Path, cells: Cells) -> str:
    """Cost of every run's training and evaluation, as CSV."""
    keys = ("wall_s", "cpu_s", "peak_memory_gib", "energy_j")
    heads = [*NAMES, *(f"{job}_{key}" for job in ("train", "evaluate") for key in keys), "resumed"]
    rows = []
    for folder, cell in cells.items():
        train, evaluation = (
            read_json(out / "cells" / folder / f"{job}.json")["cost"] for job in ("train", "evaluation")
        )
        costs = [cost[key] for cost in (train, evaluation) for key in keys]
        rows.append([*_names(cell), *costs, "yes" if train["resumed"] else "no"])
    return csv_text(heads, rows)


def failures_csv(out: Path, planned: Cells, finished: Cells) -> str:
    """What went wrong in which run, as CSV.

    The kinds: ``did not finish``; ``collapse`` and ``structure missed``, as the training said; ``never predicted``, a
    structure that is in references and in no prediction of the final weights; ``stripes``.
    """
    rows = []
    for folder, cell in planned.items():
        if folder not in finished:
            rows.append([*_names(cell), "did not finish", _last_words(out, cell, folder)])
            continue
        told = read_json(out / "cells" / folder / "train.json")["collapses"]
        problems = [("collapse" if "collapsed" in line else "structure missed", line) for line in told]
        problems += [("never predicted", line) for line in _find_never_predicted(out, folder)]
        problems += [("stripes", line) for line in _find_stripes(out, folder)]
        rows += [[*_names(cell), *problem] for problem in problems]
    return csv_text([*NAMES, "kind", "line"], rows)


def _find_never_predicted(out: Path, folder: str) -> list[str]:
    rows = read_rows(out / "cells" / folder / "evaluation" / "cases.csv")
    statuses: dict[str, list[str]] = {}
    for row in rows:
        statuses.setdefault(str(row["structure"]), []).append(str(row["status"]))
    return [
        f"{structure} is in {own.count('FN')} of {len(own)} references and in no prediction"
        for structure, own in statuses.items()
        if "FN" in own and not {"TP", "FP"} & set(own)
    ]


def _find_stripes(out: Path, folder: str) -> list[str]:
    stripes = _stripes(out, folder)
    run, cases = stripes["run"], stripes["cases"]
    striped = [name for name, one in cases.items() if one["found"]]
    if not run["found"]:
        return []
    return [
        f"{run['prediction']:.0%} of the label changes along axis {run['axis']} come back one voxel later "
        f"(references: {run['reference']:.0%}); striped cases: {len(striped)} of {len(cases)}"
    ]


def _stripes(out: Path, folder: str) -> dict[str, Any]:
    return read_json(out / "cells" / folder / "evaluation.json")["stripes"]


def _names(cell: Mapping[str, Any]) -> list[Any]:
    return [cell[name] for name in NAMES]


def _last_words(out: Path, cell: Mapping[str, Any], folder: str) -> str:
    place, method = f"{cell['dataset']}_fold{cell['fold']}", Path(folder).parent.name
    run = f"{place}_{method}_seed{cell['seed']}"
    for log in (f"evaluate/{run}", f"train/{run}", f"prepare_{place}"):
        if error := _error(out, log):
            return error
    return "not started, or killed"


def _error(out: Path, name: str) -> str:
    """Return the error at the end of a job's log, "" if there is none."""
    log = out / "logs" / f"{name}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    found = lines and lines[-1].startswith("error: ")
    return lines[-1].removeprefix("error: ").replace(str(out), "OUT") if found else ""
