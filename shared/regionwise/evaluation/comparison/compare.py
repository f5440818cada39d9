"""``python -m regionwise compare``: paired statistics and publication tables from the results of several methods."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError, did_you_mean
from ..output import as_folder, check_outputs, check_writable, write_texts
from . import tables
from .claims import Options
from .paired import compare_methods
from .patients import read_groups
from .results import read_methods

FILES = ("table.md", "table.tex", "table.csv", "statistics.csv", "ranks.csv", "variance.csv", "comparison.json")


def compare(
    results: str | list[str],
    *more: str,
    out: str | None = None,
    metrics: str | Sequence[str] = ("dice", "hd_mm"),
    baseline: str | None = None,
    inter_rater: str | None = None,
    groups: str | None = None,
    rename: dict[str, str] | None = None,
    margins: dict[str, float] | None = None,
    correction: str = "holm",
    permutations: int = 10_000,
    level: float = 0.05,
    seed: int = 0,
    skip_bad: bool = False,
    overwrite: bool = False,
) -> int:
    """Compare methods on the same cases: --results A B ... --out DIR (or A,B).

    Writes table.md, table.tex and table.csv (means in the style of the paper's Tables 2-4), statistics.csv (one line
    per comparison), ranks.csv (ranks over bootstrap samples), variance.csv (spread over patients and seeds) and
    comparison.json. The patient is the unit: frames of one patient are averaged, several seeds of a
    method are averaged per case. Each difference is called supported, not supported, or equivalent within the margin.

    Args:
        results: For each method PATH or NAME=PATH: a folder written by evaluate, a folder of such folders (one per
            seed), nnU-Net's summary.json, MIST's results.csv, or a CSV file with the columns case, structure, metric,
            value.
        more: Further results.
        out: Folder to write to.
        metrics: Columns of cases.csv to compare.
        baseline: The method that the others are compared with; by default the first.
        inter_rater: Results of a second human reference against the first, shown as a row of its own, not tested.
        groups: CSV file with the columns case and patient; by default from the results, or from names such as
            patient001_frame01.
        rename: New names of structures, such as "{'class 1': RV}".
        margins: Equivalence margin per metric, such as {dice: 0.01, hd_mm: 1}; 0.01 for Dice,
            Jaccard and surface Dice by default.
        correction: holm or max_t, within the family of metrics x structures of one comparison.
        permutations: Number of exchanges of the permutation test.
        level: Significance level, after the correction.
        seed: Seed of permutations and bootstrap.
        skip_bad: Compare the cases that all methods have, and list the others.
        overwrite: Replace an existing comparison in ``out``.

    Returns:
        0.

    Raises:
        InputError: If an option is invalid, results cannot be read or compared, or nothing can be written.
    """
    folder = as_folder(out, "compare")
    given = [*_as_texts(results, "--results"), *_as_texts(list(more), "--results")]
    check_writable(folder)
    options = Options(permutations, level, seed, correction, margins or {})
    compared = _as_texts(metrics, "--metrics")
    _check_metrics(compared, options)
    methods = read_methods(given, rename)
    files = [path for method in methods for path in method.files]
    check_outputs([folder / name for name in FILES], files, overwrite)
    comparison = compare_methods(
        methods,
        metrics=compared,
        baseline=baseline,
        inter_rater=read_methods([inter_rater], rename, every_name=False)[0] if inter_rater is not None else None,
        options=options,
        groups=read_groups(groups) if groups is not None else None,
        skip_bad=skip_bad,
    )
    write_comparison(folder, comparison)
    print(tables.markdown(comparison))
    print(tables.claims_text(comparison))
    return 0


def write_comparison(folder: Path, comparison: Mapping[str, Any]) -> None:
    """Write the files of a comparison.

    Args:
        folder: Folder to write to.
        comparison: From `compare_methods`.

    Raises:
        InputError: If one cannot be written; then none is.
    """
    texts = (
        tables.markdown(comparison),
        tables.latex(comparison),
        tables.means_csv(comparison),
        tables.statistics_csv(comparison),
        tables.ranks_csv(comparison),
        tables.variance_csv(comparison),
        json.dumps(comparison, indent=2, allow_nan=False) + "\n",
    )
    write_texts(dict(zip((folder / name for name in FILES), texts, strict=True)))


def _check_metrics(metrics: Sequence[str], options: Options) -> None:
    """Refuse a metric that is given twice, and a margin of one that is not compared."""
    double = next((one for one in metrics if metrics.count(one) > 1), None)
    if double is not None:
        raise InputError(f"expected each of --metrics once, got '{double}' twice")
    unknown = next((one for one in options.margins if one not in metrics), None)
    if unknown is not None:
        raise InputError(f"--margins names '{unknown}', which is not compared; {did_you_mean(unknown, metrics)}")


def _as_texts(values: str | Path | Sequence[str | Path], option: str) -> list[str]:
    values = values.split(",") if isinstance(values, str) else [values] if isinstance(values, Path) else values
    texts = [str(one).strip() for one in values] if isinstance(values, list | tuple) else [""]
    if not all(texts) or not all(isinstance(one, str | Path) for one in values):
        raise InputError(f"expected {option} as names, such as A,B, got {values!r}")
    return texts
