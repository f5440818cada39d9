"""Results of several methods, each of one or more seeds: one value per case, structure and metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError, did_you_mean
from ..cases_csv import metric_names, read_rows
from ..measure import Row

Key = tuple[str, str]


@dataclass(frozen=True)
class Method:
    """The results of a method.

    Attributes:
        name: Name in tables.
        runs: For each seed, (case, structure) to row.
        files: The files they were read from.
    """

    name: str
    runs: tuple[Mapping[Key, Row], ...]
    files: tuple[Path, ...] = ()

    def value(self, key: Key, metric: str) -> float | None:
        """Mean over the seeds; None if the metric is not for this structure."""
        values = [run[key][metric] for run in self.runs]
        return None if None in values else sum(values) / len(values)


def read_methods(results: Sequence[str]) -> list[Method]:
    """Read the results of several methods.

    Args:
        results: For each method ``DIR`` or ``NAME=DIR``, a folder written by ``evaluate``, or one that holds such
            folders: the seeds of a method. A NAME given twice is one method with the seeds of both.

    Raises:
        InputError: If a folder has no results, two methods have one name, or a case is twice in one file.
    """
    files: dict[str, list[Path]] = {}
    implicit = set()
    for text in results:
        name, _, folder = str(text).rpartition("=")
        path = Path(folder)
        if not name:
            name = path.resolve().name
            if name in files:
                raise InputError(f"two results are called '{name}'; tell them apart as NAME={path}")
            implicit.add(name)
        elif name in implicit:
            raise InputError(f"two results are called '{name}'; name both as NAME=DIR")
        files.setdefault(name, []).extend(_files(path))
    return [Method(name, tuple(map(_read_run, found)), tuple(found)) for name, found in files.items()]


def shared_keys(methods: Sequence[Method]) -> tuple[list[Key], list[str]]:
    """List the (case, structure) pairs that every run of every method holds, and a line for each that some lack."""
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
        InputError: If one does not; the line names the metric, the method and what there is.
    """
    if not metrics:
        raise InputError("expected at least one metric to compare, got none")
    for method in methods:
        for run in method.runs:
            names = metric_names(list(run.values())[:1])
            for metric in metrics:
                if metric not in names:
                    raise InputError(f"the results of {method.name} have no '{metric}'; {did_you_mean(metric, names)}")


def _files(path: Path) -> list[Path]:
    if path.is_file() or (path / "cases.csv").is_file():
        return [path if path.is_file() else path / "cases.csv"]
    found = sorted(path.rglob("cases.csv"))
    if not found:
        raise InputError(f"expected the results of 'evaluate' (cases.csv) in {path} or its folders, found none")
    return found


def _read_run(path: Path) -> Mapping[Key, Row]:
    run: dict[Key, Row] = {}
    for row in read_rows(path):
        key = (str(row["case"]), str(row["structure"]))
        if key in run:
            raise InputError(f"{path} holds case '{key[0]}', structure '{key[1]}' twice")
        run[key] = row
    return run
