"""``python -m regionwise fuse``: label maps by several raters in, one per case and a table of the raters out."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from tqdm import tqdm

from ..errors import InputError, did_you_mean
from ..evaluation.cases_csv import csv_text
from ..evaluation.output import as_folder, check_outputs, check_writable, write_texts
from ..evaluation.structures import LARGEST_LABEL, named_classes
from ..files import atomic_folder
from ..geometry import find_grid_problems
from ..nifti import Volume, read_labels, write_volume
from .agreement import agreement_rows, summarize_raters
from .find import PATTERN, Found, find_raters
from .methods import METHODS, fuse_raters
from .staple import estimate_performance
from .voting import majority_vote

LABELS = "labels"
TABLES = ("raters.csv", "raters_by_case.csv", "pairs.csv", "inter_rater.csv")


def fuse(
    raters: str | list[str],
    *more: str,
    out: str | None = None,
    method: str = "majority",
    pattern: str = PATTERN,
    classes: str | list[str] | dict[int, str] | None = None,
    num_classes: int | None = None,
    epoch: int = 0,
    seed: int = 0,
    overwrite: bool = False,
) -> int:
    """Fuse the label maps of several raters, and measure the raters: --raters A B C --out DIR (or A,B,C).

    Writes OUT/labels/CASE.nii.gz and four tables: raters.csv (per structure and rater: bias in ml and mm, consistency,
    agreement with the fusion and with the other raters), raters_by_case.csv, pairs.csv, and inter_rater.csv, the mean
    over the pairs of raters, which compare shows as a row of its own (--inter_rater OUT/inter_rater.csv). The raters
    are measured against the fused labels; for average and random against the majority's.

    Args:
        raters: One folder per rater, with the same file names in each; or one folder of files named by --pattern.
        more: Further folders.
        out: Folder to write to.
        method: majority, average (soft labels, float32 (*spatial, classes)), random (one rater per case), staple
            (needs SimpleITK), or distance (mean signed distance in mm).
        pattern: File name without suffix, with {case} and {rater}, where one folder is given.
        classes: Names of labels 1, 2, ... (RV,Myo,LV), or {label: name}; by default every label that occurs.
        num_classes: Number of classes with the background, for labels without names.
        epoch: For random: the epoch to draw for.
        seed: For random.
        overwrite: Replace existing results in ``out``.

    Returns:
        0.

    Raises:
        InputError: If an option is invalid, files are missing, damaged or on different grids, or nothing can be
            written.
    """
    folder = as_folder(out, "fuse")
    if method not in METHODS:
        raise InputError(f"Unknown fusion method '{method}'; {did_you_mean(method, METHODS)}")
    for name, value in (("epoch", epoch), ("seed", seed)):
        if value < 0:
            raise InputError(f"expected --{name} to be an integer >= 0, found {value}")
    check_writable(folder)
    found = find_raters([*(raters if isinstance(raters, list) else raters.split(",")), *more], pattern)
    inputs = [path for files in found.values() for path in files.values()]
    check_outputs([folder / name for name in TABLES], inputs, overwrite)
    if (folder / LABELS).exists() and not overwrite:
        raise InputError(f"{folder / LABELS} is there already; choose another --out, or pass --overwrite to replace it")
    if any(path.resolve().is_relative_to((folder / LABELS).resolve()) for path in inputs):
        raise InputError(f"{folder / LABELS} holds inputs; choose another --out")
    structures = named_classes(classes, num_classes)
    labels = {one.name: one.labels[0] for one in structures} if structures else _occurring(found)
    tables: dict[str, list[dict[str, Any]]] = {"rows": [], "pairs": []}
    with atomic_folder(folder / LABELS) as temporary:
        for case, files in tqdm(found.items(), unit="case", disable=None, leave=False):
            volumes = read_case(files)
            maps = np.stack([one.array for one in volumes.values()])
            _check_labels(case, maps, labels)
            first = next(iter(volumes.values()))
            number = max(labels.values(), default=0) + 1
            fused = fuse_raters(maps, method, number, first.spacing_mm, case, epoch, seed)
            saved = np.moveaxis(fused, 0, -1) if method == "average" else fused
            write_volume(temporary / f"{case}.nii.gz", saved, first.affine)
            truth = majority_vote(maps) if method in ("average", "random") else fused
            one_case = {name: volume.array for name, volume in volumes.items()}
            rows, pairs = agreement_rows(one_case, truth, labels, first.spacing_mm)
            if method == "staple":
                rows = _with_performance(rows, one_case, labels)
            tables["rows"] += [{"case": case, **row} for row in rows]
            tables["pairs"] += [{"case": case, **pair} for pair in pairs]
        shutil.rmtree(folder / LABELS, ignore_errors=True)  # of an earlier run, kept until this one is complete
    summary = summarize_raters(tables["rows"])
    contents = (summary, tables["rows"], tables["pairs"], inter_rater_rows(tables["pairs"]))
    write_texts({folder / name: _csv(rows) for name, rows in zip(TABLES, contents, strict=True)})
    print(raters_text(summary))
    print(f"labels: {folder / LABELS}")
    return 0


def read_case(files: Mapping[str, Path]) -> dict[str, Volume]:
    """Read a case's label maps.

    Args:
        files: file by rater.

    Raises:
        InputError: If a file is damaged or no label map, or two lie on different voxels.
    """
    volumes = {rater: read_labels(path) for rater, path in files.items()}
    first, *others = volumes.values()
    for other in others:
        problems = find_grid_problems(first.grid, other.grid)
        if problems:
            raise InputError(problems[0])
    return volumes


def inter_rater_rows(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean over the pairs of raters of each case and structure, one row per metric: what compare reads.

    Args:
        pairs: rows with case, structure, dice and hd_mm.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for pair in pairs:
        groups.setdefault((pair["case"], pair["structure"]), []).append(pair)
    return [
        {
            "case": case,
            "structure": structure,
            "metric": metric,
            "value": fmean(one[metric] for one in group),
        }
        for (case, structure), group in groups.items()
        for metric in ("dice", "hd_mm")
    ]


def raters_text(summary: Sequence[Mapping[str, Any]]) -> str:
    """Short table of the raters: bias and its standard deviation over the cases, agreement with fusion and raters."""
    heads = ["structure", "rater", "n", "bias ml", "bias mm", "Dice", "HD mm", "pairs Dice", "pairs HD mm"]
    lines = [
        [
            str(row["structure"]),
            str(row["rater"]),
            str(row["cases"]),
            f"{row['bias_ml']:+.2f} ({row['consistency_ml']:.2f})",
            f"{row['bias_mm']:+.2f} ({row['consistency_mm']:.2f})",
            f"{row['dice']:.3f}",
            f"{row['hd_mm']:.2f}",
            f"{row['pair_dice']:.3f}",
            f"{row['pair_hd_mm']:.2f}",
        ]
        for row in summary
    ]
    widths = [max(len(line[column]) for line in [heads, *lines]) for column in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in [heads, *lines])  # fmt: skip


def _occurring(found: Found) -> dict[str, int]:
    """Name every label of the files, ``class 1``, ...; each file is read once more for it."""
    labels = {int(label) for files in found.values() for path in files.values() for label in _labels_of(path)}
    if max(labels, default=0) > LARGEST_LABEL:
        raise InputError(f"expected labels from 0 to {LARGEST_LABEL}, found {max(labels)}")
    if not labels - {0}:
        raise InputError("expected a structure in at least one label map, found background only")
    return {f"class {label}": label for label in sorted(labels - {0})}


def _labels_of(path: Path) -> np.ndarray:
    return np.unique(read_labels(path).array)


def _check_labels(case: str, maps: np.ndarray, labels: Mapping[str, int]) -> None:
    unknown = set(np.unique(maps).tolist()) - {0, *labels.values()}
    if unknown:
        raise InputError(f"case '{case}' holds label {min(unknown)}, which --classes or --num_classes does not name")


def _with_performance(
    rows: Sequence[dict[str, Any]], maps: Mapping[str, np.ndarray], labels: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Add what STAPLE estimates of each rater and structure."""
    stacked, places = np.stack(list(maps.values())), {rater: place for place, rater in enumerate(maps)}
    estimates = {structure: estimate_performance(stacked == label) for structure, label in labels.items()}
    return [
        {
            **row,
            "staple_sensitivity": float(estimates[row["structure"]].sensitivity[places[row["rater"]]]),
            "staple_specificity": float(estimates[row["structure"]].specificity[places[row["rater"]]]),
        }
        for row in rows
    ]


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = list(rows[0])
    cells = [[row[head] for head in heads] for row in rows]
    return csv_text(heads, [[None if cell != cell else cell for cell in line] for line in cells])
