"""The declared table of a study: cells of dataset x fold x method x seed, checked and resolved (no computation)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import Cell, Study, slug
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
# What an evaluation measures; a change of it makes the evaluations of finished trainings again.
_MEASURES = ["cases", "stripes"]


@dataclass(frozen=True)
class _Dataset:
    """A dataset of a preset: what all its cells share.

    Attributes:
        bundle: Name of the bundle.
        scans: Reader, number and size of the synthetic scans; empty for real ones.
        split: How the cases are split, with all folds to train.
        test: Folder whose cases are evaluated in place of the held-out ones, as ``{"test": folder}``; or empty.
        settings: Overrides of the training.
        evaluation: Overrides of the evaluation.
    """

    bundle: str
    scans: Mapping[str, Any]
    split: Mapping[str, Any]
    test: Mapping[str, str]
    settings: Mapping[str, Any]
    evaluation: Mapping[str, Any]


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
    for name, own in datasets.items():
        if name not in known:
            raise InputError(f"Unknown dataset '{name}' of preset '{preset}'; {did_you_mean(name, known)}")
        dataset = _dataset(table, preset, name, _mapping(own, f"dataset '{name}' of preset '{preset}'"), data)
        shared = {"bundle": dataset.bundle, "package": __version__}
        for fold in _folds(dataset.split):
            split = {**dataset.split, "fold": fold} if dataset.split else {}
            spec = {"scans": dataset.scans, "split": split, "settings": dataset.settings}
            preparations[f"{name}/fold{fold}"] = {**shared, **dataset.test, **spec}
            evaluation = {**shared, **dataset.test, "overrides": dataset.evaluation, "measures": _MEASURES}
            for method, (loss, more) in methods.items():
                for seed in seeds:
                    overrides = {**dataset.settings, **more, "loss": loss, "seed": seed}
                    cell = Cell(name, fold, method, seed, {**shared, "overrides": overrides}, evaluation)
                    if cell.folder in cells:
                        raise InputError(f"two cells of preset '{preset}' have the name {cell.folder}; rename a loss")
                    cells[cell.folder] = cell
    if not cells:
        raise InputError(f"preset '{preset}' has no datasets")
    metrics = list(given.get("metrics", _METRICS))
    readers = {name: known[name]["reader"] for name in datasets}
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


def _dataset(table: Mapping[str, Any], preset: str, name: str, own: Mapping[str, Any], data: str) -> _Dataset:
    _check_keys(own, _DATASET_KEYS, f"dataset '{name}' of preset '{preset}'")
    given, known = table["presets"][preset], table["datasets"][name]
    layers, toy = [given, own], {}
    if data == PHANTOM:
        phantom = _mapping(table.get("phantom"), "'phantom' of the study table")
        toy = {"split": {}, **_mapping(phantom.get(name), f"phantom '{name}'")}
        # The toy's size wins over a preset meant for real data, and a preset of phantoms over the toy's.
        every = phantom.get("all", {})
        layers = [every, toy, *layers] if "data" in given else [*layers, every, toy]
    split = {**own.get("split", {}), **toy.get("split", {})}
    if toy and split.get("folds", 0) > toy["subjects"]:
        split["folds"] = toy["subjects"]
    return _Dataset(
        bundle=known["bundle"],
        scans={"reader": known["reader"], "subjects": toy["subjects"], "size": toy["size"]} if toy else {},
        split=split,
        test={"test": own["test"]} if "test" in own else {},
        settings=_merged(layers, "settings"),
        evaluation=_merged(layers, "evaluation"),
    )


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
