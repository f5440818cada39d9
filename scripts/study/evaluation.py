"""The job that evaluates a cell: predictions, metrics, stripes, and a folder for ACDC's server."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import record
from command import Spec, bundle_command, read_prepared
from regionwise.datasets import read_cases
from regionwise.evaluation.cases_csv import read_rows
from regionwise.evaluation.stripes import Stripes, compare_stripes, count_changes
from regionwise.files import atomic_path, read_json, write_json
from regionwise.nifti import read_labels


def evaluate(out: Path, dataset: str, fold: int, data: str, cell: str, spec: Spec) -> None:
    """Predict and measure the held-out cases of a cell; writes ``evaluation/`` and its record ``evaluation.json``.

    The record holds the cost, and the stripes of the run and of each case (`regionwise.evaluation.stripes`).

    Raises:
        InputError: If it fails; the message is its last line.
    """
    folder, prepared = out / "cells" / cell, read_prepared(out, dataset, fold)
    trained = read_json(folder / "train.json")
    weights = Path(trained["weights"])
    given = {
        "dataset_dir": data or prepared["scans"],
        "output_dir": str(folder / "evaluation"),
        "checkpoint": str(weights),
        "args_file": str(weights.parent / "network.json"),
        "split": str(out / "data" / dataset / f"fold{fold}" / "split.json"),
        "fold": 0,
    }
    if "test" in spec:
        given |= {"dataset_dir": str(Path(given["dataset_dir"]) / spec["test"]), "section": "all"}
        del given["split"], given["fold"]
    command = bundle_command("evaluating", spec["bundle"], "evaluate", {**given, **spec["overrides"]})
    cost = record.run(command, folder / "evaluate.log")
    if "test" in spec:
        write_submission(folder / "evaluation")
    reader = read_json(out / "study.json")["readers"][dataset]
    stripes = measure_stripes(folder / "evaluation" / "predictions", reader, given["dataset_dir"])
    write_json(folder / "evaluation.json", {"cell": cell, "command": command, "cost": cost, "stripes": stripes})


def measure_stripes(predictions: Path, reader: str, dataset_dir: str) -> dict[str, Any]:
    """Compare the stripes of predictions with those of their references.

    Returns:
        ``run`` (all cases together) and ``cases`` (by name), each with ``axis``, ``prediction``, ``reference`` (shares)
        and ``found``.
    """
    counts = {}
    for case in read_cases(reader, dataset_dir):
        file = predictions / f"{case['case_id']}.nii.gz"
        if file.is_file():
            counts[case["case_id"]] = [count_changes(read_labels(path).array) for path in (file, case["label"])]
    run = compare_stripes(*(np.sum(own, axis=0) for own in zip(*counts.values(), strict=True)))
    return {"run": _as_json(run), "cases": {name: _as_json(compare_stripes(*own)) for name, own in counts.items()}}


def _as_json(stripes: Stripes) -> dict[str, Any]:
    return {**asdict(stripes), "found": stripes.found}


def write_submission(evaluation: Path) -> None:
    """Copy ACDC's predictions under the names that its server takes, such as ``patient101_ED.nii.gz``.

    Writes ``submission/`` beside ``predictions/``.
    """
    phases = {str(row["case"]): str(row["group"]) for row in read_rows(evaluation / "cases.csv")}
    for case, phase in phases.items():
        with atomic_path(evaluation / "submission" / f"{case.partition('_')[0]}_{phase}.nii.gz") as temporary:
            shutil.copyfile(evaluation / "predictions" / f"{case}.nii.gz", temporary)
