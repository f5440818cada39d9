"""The tables of a dataset: results of its finished cells and their comparison."""

import csv
from pathlib import Path

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
from runs import NAMES, Cells, costs_csv, curves_csv, failures_csv, is_finished, stripes_csv


def compare(out: Path, dataset: str) -> None:
    """Write the tables of a dataset to ``out/results/<dataset>``.

    Besides the files of ``regionwise compare``: ``cases.csv`` (every case of every cell), ``curves.csv`` (validation),
    ``stripes.csv`` (by case), ``cost.csv`` and ``failures.csv``. All but the cost are the same to the byte for the same
    cells.

    Raises:
        InputError: If fewer than two methods have results, or results of other cases.
    """
    study = read_json(out / "study.json")
    planned = {folder: cell for folder, cell in study["cells"].items() if cell["dataset"] == dataset}
    finished = {folder: cell for folder, cell in planned.items() if is_finished(out / "cells" / folder)}
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
        folder / "curves.csv": curves_csv(out, finished),
        folder / "stripes.csv": stripes_csv(out, finished),
        folder / "cost.csv": costs_csv(out, finished),
        folder / "failures.csv": failures_csv(out, planned, finished),
    })  # fmt: skip


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
    heads = [*NAMES, "case", "structure", "status"]
    rows, metrics = [], []
    for folder, cell in cells.items():
        run = list(_run(out, folder).values())
        metrics = metrics or metric_names(run)
        keys = [cell[key] for key in heads[:3]]
        rows += [[*keys, *(row[key] for key in heads[3:]), *(row.get(metric) for metric in metrics)] for row in run]
    return csv_text([*heads, *metrics], rows)


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of one of these CSV files, as text."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
