"""Results of several methods with one or more seeds each: one value per case, structure and metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError, did_you_mean
from ..cases_csv import TEXT
from .readers import Key, Run, read_run


@dataclass(frozen=True)
class Method:
    """The results of a method.

    Attributes:
        name: Name in tables.
        runs: For each seed, (case, structure) to row.
        files: The files they were read from.
        notes: What their formats lack.
    """

    name: str
    runs: tuple[Run, ...]
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def value(self, key: Key, metric: str) -> float | None:
        """Mean over the seeds; None if the metric does not apply to this structure."""
        values = self.values(key, metric)
        return None if values is None else sum(values) / len(values)

    def values(self, key: Key, metric: str) -> list[float] | None:
        """Values of each seed; None if the metric does not apply to this structure."""
        values: list[Any] = [run[key].get(metric) for run in self.runs]
        return None if None in values else values


def read_methods(
    results: Sequence[str], rename: Mapping[str, str] | None = None, every_name: bool = True
) -> list[Method]:
    """Read the results of several methods.

    Args:
        results: For each method ``PATH`` or ``NAME=PATH``: a folder written by ``evaluate``, a folder that holds such
            folders (the seeds of a method), or a file that `read_run` reads. A NAME given twice is one method with the
            seeds of both.
        rename: New names of structures, such as {"class 1": "RV"}, so that tools can be compared.
        every_name: Whether each structure to rename has to occur.

    Raises:
        InputError: If a folder has no results, a structure to rename does not occur, two methods have one name, or a
            case is twice in one file.
    """
    if rename is not None and not (
        isinstance(rename, Mapping) and all(isinstance(name, str) for pair in rename.items() for name in pair)
    ):
        raise InputError(f"expected --rename as {{old: new}}, got {rename!r}")
    files: dict[str, list[Path]] = {}
    implicit = set()
    for text in results:
        name, _, folder = str(text).rpartition("=")
        path = Path(folder)
        if not name:
            name = (path.resolve().parent if path.is_file() else path.resolve()).name
            if name in files:
                raise InputError(f"two results are called '{name}'; tell them apart as NAME={path}")
            implicit.add(name)
        elif name in implicit:
            raise InputError(f"two results are called '{name}'; name both as NAME=DIR")
        files.setdefault(name, []).extend(_files(path))
    methods, structures = [], set()
    for name, found in files.items():
        read = [read_run(path) for path in found]
        structures |= {structure for run, _ in read for _, structure in run}
        notes = dict.fromkeys(f"{name}: {note}" for _, lines in read for note in lines)
        runs = tuple(_renamed(run, rename or {}) for run, _ in read)
        methods.append(Method(name, runs, tuple(found), tuple(notes)))
    unknown = [structure for structure in rename or {} if structure not in structures]
    if unknown and every_name:
        raise InputError(f"--rename names '{unknown[0]}', no structure; {did_you_mean(unknown[0], sorted(structures))}")
    return methods


def _renamed(run: Run, rename: Mapping[str, str]) -> Run:
    found = {(case, rename.get(name, name)): row for (case, name), row in run.items()}
    if len(found) < len(run):
        raise InputError(f"--rename {dict(rename)} gives two structures of a case one name")
    return found


def shared_keys(methods: Sequence[Method]) -> tuple[list[Key], list[str]]:
    """List the (case, structure) pairs that every run of every method holds, and a line for each other pair."""
    runs = [(method.name, run) for method in methods for run in method.runs]
    every = dict.fromkeys(key for _, run in runs for key in run)
    missing = {key: [name for name, run in runs if key not in run] for key in every}
    problems = [
        f"{case}, {structure}: missing in {', '.join(dict.fromkeys(names))}"
        for (case, structure), names in missing.items()
        if names
    ]
    return [key for key, names in missing.items() if not names], problems


def check_metrics(methods: Sequence[Method], metrics: Sequence[str]) -> None:
    """Check that every run holds the metrics.

    Raises:
        InputError: If one does not; the message names the metric, the method and the available ones.
    """
    if not metrics:
        raise InputError("expected at least one metric to compare, got none")
    for method in methods:
        for run in method.runs:
            names = list(dict.fromkeys(name for row in run.values() for name in row if name not in TEXT))
            for metric in metrics:
                if metric not in names:
                    raise InputError(f"the results of {method.name} have no '{metric}'; {did_you_mean(metric, names)}")


def _files(path: Path) -> list[Path]:
    if path.is_file() or (path / "cases.csv").is_file():
        return [path if path.is_file() else path / "cases.csv"]
    found = sorted(path.rglob("cases.csv"))
    if not found:
        raise InputError(f"expected the results of 'evaluate' (cases.csv) in {path} or its folders, not found")
    return found
