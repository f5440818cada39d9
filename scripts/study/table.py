"""The declared table of a study: cells of dataset x fold x method x seed, checked and resolved (no computation)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regionwise import __version__
from regionwise.errors import InputError, did_you_mean

PHANTOM = "phantom"
_PRESET_KEYS = {
    "data",
    "datasets",
    "losses",
    "seeds",
    "baseline",
    "metrics",
    "margins",
    "settings",
    "evaluation",
    "note",
}
_DATASET_KEYS = {"split", "test", "settings", "evaluation"}
_METHOD_KEYS = {"loss", "settings"}
_METRICS = ("dice", "hd_mm", "hd95_mm")


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
    return {**{key: getattr(study, key) for key in keys}, "settings": settings, "cells": cells}


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


def resolve(table: Any, preset: str, data: str = "") -> Study:
    """Resolve a preset of a study table.

    Args:
        table: Content of study.yaml.
        preset: Name of the preset.
        data: ``phantom``, or the folder of the data: that of the dataset if the preset has one, else the folder that
            holds ``acdc``, ``brats``, ... By default the preset's own.

    Raises:
        InputError: If the table is not as described in README.md, or the preset is unknown.
    """
    table = _mapping(table, "the study table")
    presets, known = (_mapping(table.get(key), f"'{key}' of the study table") for key in ("presets", "datasets"))
    if preset not in presets:
        raise InputError(f"Unknown preset '{preset}'; {did_you_mean(preset, presets)}")
    given = _mapping(presets[preset], f"preset '{preset}'")
    _check_keys(given, _PRESET_KEYS, f"preset '{preset}'")
    data = data or str(given.get("data", ""))
    datasets = _mapping(given.get("datasets"), f"'datasets' of preset '{preset}'")
    methods = _methods(given.get("losses"), preset)
    seeds = _seeds(given.get("seeds"), preset)
    baseline = str(given.get("baseline", next(iter(methods))))
    if baseline not in methods:
        raise InputError(f"Unknown baseline '{baseline}' of preset '{preset}'; {did_you_mean(baseline, methods)}")
    preparations: dict[str, Mapping[str, Any]] = {}
    cells: dict[str, Cell] = {}
    for dataset, own in datasets.items():
        if dataset not in known:
            raise InputError(f"Unknown dataset '{dataset}' of preset '{preset}'; {did_you_mean(dataset, known)}")
        own = _mapping(own, f"dataset '{dataset}' of preset '{preset}'")
        _check_keys(own, _DATASET_KEYS, f"dataset '{dataset}' of preset '{preset}'")
        layers, toy = [given, own], {}
        if data == PHANTOM:
            phantom = _mapping(table.get("phantom"), "'phantom' of the study table")
            toy = {"split": {}, **_mapping(phantom.get(dataset, {}), f"phantom '{dataset}'")}
            # The toy's size wins over a preset meant for real data, and a preset of phantoms over the toy's.
            layers = [phantom.get("all", {}), toy, *layers] if "data" in given else [*layers, phantom["all"], toy]
        split = {**own.get("split", {}), **toy.get("split", {})}
        if toy and split.get("folds", 0) > toy["subjects"]:
            split["folds"] = toy["subjects"]
        # A folder of the dataset whose cases are evaluated in place of the held-out ones.
        test = {"test": own["test"]} if "test" in own else {}
        bundle = known[dataset]["bundle"]
        scans = {"reader": known[dataset]["reader"], "subjects": toy["subjects"], "size": toy["size"]} if toy else {}
        shared = {"bundle": bundle, "package": __version__}
        settings, evaluation = _merged(layers, "settings"), _merged(layers, "evaluation")
        for fold in _folds(split):
            spec = {"scans": scans, "split": {**split, "fold": fold} if split else {}, "settings": settings}
            preparations[f"{dataset}/fold{fold}"] = {**shared, **test, **spec}
            for method, (loss, more) in methods.items():
                for seed in seeds:
                    overrides = {**settings, **more, "loss": loss, "seed": seed}
                    cell = Cell(
                        dataset, fold, method, seed,
                        {**shared, "overrides": overrides}, {**shared, **test, "overrides": evaluation},
                    )  # fmt: skip
                    if cell.folder in cells:
                        raise InputError(f"two cells of preset '{preset}' have the name {cell.folder}; rename a loss")
                    cells[cell.folder] = cell
    if not cells:
        raise InputError(f"preset '{preset}' has no datasets")
    metrics = list(given.get("metrics", _METRICS))
    readers = {dataset: known[dataset]["reader"] for dataset in datasets}
    return Study(
        preset, data, preparations, cells, readers, baseline, metrics, given.get("margins", {}), given.get("note", "")
    )


def dataset_dir(study: Study, dataset: str) -> str:
    """Return the folder of a dataset's scans; "" for phantoms, which the preparation writes.

    Raises:
        InputError: If no data were given, or the folder is missing.
    """
    if study.data == PHANTOM:
        return ""
    if not study.data:
        raise InputError(
            f"preset '{study.preset}' needs data: pass --data DIR, or --data {PHANTOM} for synthetic scans"
        )
    several = len(study.dataset_names) > 1
    folder = Path(study.data).expanduser() / (dataset if several else "")
    if not folder.is_dir():
        hint = f"; --data is to hold a folder for each of {', '.join(study.dataset_names)}" if several else ""
        raise InputError(f"expected a folder with the dataset {dataset} at {folder}, not found{hint}")
    return str(folder.resolve())


def _methods(given: Any, preset: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return name to (loss, settings): a loss by its name, or ``{name: {loss: ..., settings: {...}}}``."""
    if not isinstance(given, list) or not given:
        raise InputError(f"expected 'losses' of preset '{preset}' as a list of losses, got {given!r}")
    methods: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for one in given:
        name, own = next(iter(one.items())) if isinstance(one, Mapping) and len(one) == 1 else (one, {})
        if not isinstance(name, str) or not isinstance(own, Mapping):
            raise InputError(f"expected a loss of preset '{preset}' as a name or {{name: {{loss: ...}}}}, got {one!r}")
        _check_keys(own, _METHOD_KEYS, f"loss '{name}' of preset '{preset}'")
        if name in methods or slug(name) in map(slug, methods):
            raise InputError(f"two losses of preset '{preset}' are called '{name}': cells need names of their own")
        methods[name] = (str(own.get("loss", name)), own.get("settings", {}))
    return methods


def _seeds(given: Any, preset: str) -> list[int]:
    if not isinstance(given, list) or not given or not all(type(seed) is int and seed >= 0 for seed in given):
        raise InputError(f"expected 'seeds' of preset '{preset}' as a list of integers from 0 on, got {given!r}")
    twice = next((seed for seed in given if given.count(seed) > 1), None)
    if twice is not None:
        raise InputError(f"seed {twice} is twice in preset '{preset}'")
    return given


def _folds(split: Mapping[str, Any]) -> list[int]:
    """Return the folds to train: ``fold: 0``, or ``fold: [0, 1, 2, 3, 4]``."""
    fold = split.get("fold", 0)
    folds = fold if isinstance(fold, list) else [fold]
    if not folds or not all(type(one) is int and one >= 0 for one in folds) or len(set(folds)) < len(folds):
        raise InputError(f"expected 'fold' as a number or a list of different numbers, got {fold!r}")
    return folds


def _merged(layers: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    return {name: value for layer in layers for name, value in (layer.get(key) or {}).items()}


def _mapping(given: Any, what: str) -> Mapping[str, Any]:
    if given is None or not isinstance(given, Mapping):
        raise InputError(f"expected {what} as a table of keys and values, got {given!r}")
    return given


def _check_keys(given: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise InputError(f"Unknown key '{unknown}' in {what}; {did_you_mean(unknown, sorted(known))}")
