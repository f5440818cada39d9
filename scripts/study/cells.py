"""The cells of a study: one training and its evaluation each, named by dataset, fold, method and seed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One training and its evaluation.

    Attributes:
        dataset: Name of the dataset.
        fold: Index of the validation fold, 0 for a split without folds.
        method: Name of the method in tables, such as ``rrw:annealed``.
        seed: Seed of the training.
        training: What the training depends on: bundle, overrides, version of the package.
        evaluation: What the evaluation depends on.
    """

    dataset: str
    fold: int
    method: str
    seed: int
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """Folder of the cell below ``cells/``."""
        return f"{self.dataset}/fold{self.fold}/{slug(self.method)}/seed{self.seed}"


@dataclass(frozen=True)
class Study:
    """A resolved preset.

    Attributes:
        preset: Its name.
        data: ``phantom``, a folder, or "" where none was given.
        datasets: For each dataset and fold, what its preparation depends on; the key is ``<dataset>/fold<n>``.
        cells: All cells, by folder.
        baseline: Method that the others are compared with.
        readers: Name of the reader of each dataset.
        metrics: Metrics to compare.
        margins: Equivalence margin per metric, where it is not the default.
        note: What a reader of the page is to know of the preset.
    """

    preset: str
    data: str
    datasets: Mapping[str, Mapping[str, Any]]
    cells: Mapping[str, Cell]
    readers: Mapping[str, str]
    baseline: str
    metrics: Sequence[str]
    margins: Mapping[str, float]
    note: str = ""

    @property
    def dataset_names(self) -> list[str]:
        """Names of the datasets, in the order of the table."""
        return list(dict.fromkeys(cell.dataset for cell in self.cells.values()))

    def of(self, dataset: str) -> list[Cell]:
        """Return the cells of a dataset."""
        return [cell for cell in self.cells.values() if cell.dataset == dataset]


def as_record(study: Study) -> dict[str, Any]:
    """Study as JSON: what the jobs that look at all cells need."""
    cells = {
        folder: {
            "dataset": cell.dataset,
            "fold": cell.fold,
            "method": cell.method,
            "seed": cell.seed,
            "loss": cell.training["overrides"]["loss"],
        }
        for folder, cell in study.cells.items()
    }
    keys = ("preset", "data", "readers", "baseline", "metrics", "margins", "note")
    settings = {key.partition("/")[0]: spec["settings"] for key, spec in study.datasets.items()}
    tests = {cell.dataset: cell.evaluation["test"] for cell in study.cells.values() if "test" in cell.evaluation}
    return {**{key: getattr(study, key) for key in keys}, "tests": tests, "settings": settings, "cells": cells}


def slug(method: str) -> str:
    """Folder name of a method.

    Examples:
        >>> slug("boundary+dice:gradual")
        'boundary+dice-gradual'
    """
    return re.sub(r"[^A-Za-z0-9.+_=-]", "-", method)


def as_words(spec: Mapping[str, Any]) -> str:
    """Return JSON that is equal for equal content: what Snakemake compares between two calls."""
    return json.dumps(spec, sort_keys=True)
