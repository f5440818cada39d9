"""``python -m regionwise evaluate``: predictions and references in, cases.csv, summary.json and report.html out."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, did_you_mean
from ..files import write_json
from ..metrics import POLICY, measure_structure
from .cases import Case, Problem, nifti_files, pair
from .measure import CaseResult, Row
from .parallel import measure_cases
from .settings import PROTOCOLS, Settings
from .structures import DATASET_LABELS, Structure, named_classes, named_regions
from .summary import summarize
from .table import write_rows


def evaluate(
    predictions: str | os.PathLike,
    references: str | os.PathLike,
    out: str | os.PathLike,
    dataset: str | None = None,
    regions: str | Mapping[str, Sequence[int]] | None = None,
    classes: str | Sequence[str] | Mapping[int, str] | None = None,
    num_classes: int | None = None,
    label_map: Mapping[int, int] | None = None,
    tolerances_mm: Sequence[float] | float = (1, 2),
    protocol: str = "full",
    workers: int | None = None,
    skip_bad: bool = False,
) -> int:
    """Measure predicted label maps against references and write cases.csv and summary.json.

    Files are paired by name. Both sides must share shape and affine; what does not fit is named in one list.

    Args:
        predictions: folder of label maps (.nii.gz, .nii).
        references: folder of label maps of the same names, or the root of ``dataset``.
        out: folder to write to.
        dataset: read ``references`` in the layout of acdc, brats, kits or msd.
        regions: unions of classes to measure beside the classes: brats, or {name: [labels]}.
        classes: names of labels 1, 2, ... (RV,Myo,LV), or {label: name}; by default those of the dataset, else every
            label that occurs in a reference is a class.
        num_classes: number of classes with the background, for labels without names.
        label_map: label values to replace in predictions and references; {4: 3} is the default for brats.
        tolerances_mm: one surface Dice for each.
        protocol: full, or paper (only slices whose reference holds a label, as the paper did for KiTS).
        workers: processes; by default one a core.
        skip_bad: go on without cases that cannot be evaluated, and say so in summary and report.

    Returns:
        0; bad cases without ``skip_bad`` raise after the results of the others are in cases.csv.
    """
    labels = DATASET_LABELS.get(dataset or (regions if isinstance(regions, str) else ""))
    if classes is None and num_classes is None and labels is not None:
        classes = labels.classes
    settings = Settings(
        classes=named_classes(classes, num_classes),
        regions=named_regions(regions),
        label_map=dict(label_map if label_map is not None else labels.label_map if labels else {}),
        tolerances_mm=tuple(tolerances_mm) if isinstance(tolerances_mm, Sequence) else (tolerances_mm,),
        protocol=protocol,
    )
    cases, problems = find_cases(predictions, references, dataset)
    evaluate_cases(cases, out, settings, workers=workers, skip_bad=skip_bad, problems=problems)
    return 0


def find_cases(
    predictions: str | os.PathLike, references: str | os.PathLike, dataset: str | None = None
) -> tuple[list[Case], list[Problem]]:
    """Pair a folder of predictions with references by name.

    Returns:
        The pairs, and what has no partner or no name of its own.

    Raises:
        InputError: a folder is missing or empty, or there is no common case.
    """
    predicted, problems = nifti_files(predictions)
    if dataset is None:
        files, more = nifti_files(references)
        wanted = [Case(name, path, path) for name, path in files.items()]
    else:
        from ..data import read_cases

        more = []
        wanted = [
            Case(str(one["case_id"]), Path(one["label"]), Path(one["label"]), str(one.get("group") or ""))
            for one in read_cases(dataset, references)
        ]
    doubled = {problem.case for problem in (*problems, *more)}
    cases, unpaired = pair(predicted, wanted)
    if not cases:
        raise InputError(
            f"no case of {references} has a prediction in {predictions}: the names there begin with "
            f"'{next(iter(predicted), '')}', the references' with '{wanted[0].name if wanted else ''}'"
        )
    return cases, [*problems, *more, *(one for one in unpaired if one.case not in doubled)]


def evaluate_cases(
    cases: Sequence[Case],
    out: str | os.PathLike,
    settings: Settings | None = None,
    *,
    workers: int | None = None,
    skip_bad: bool = False,
    problems: Sequence[Problem] = (),
) -> dict[str, Any]:
    """Measure cases and write ``cases.csv`` and ``summary.json``.

    Args:
        cases: what to measure; names must differ.
        out: folder to write to.
        settings: how to measure.
        workers: processes; by default one a core.
        skip_bad: go on without cases that cannot be evaluated.
        problems: cases that are known to be bad already.

    Returns:
        The content of ``summary.json``.

    Raises:
        InputError: a case cannot be evaluated and ``skip_bad`` is not set; cases.csv holds the others.
    """
    settings = settings or Settings()
    if settings.protocol not in PROTOCOLS:
        raise InputError(f"there is no protocol '{settings.protocol}'; {did_you_mean(settings.protocol, PROTOCOLS)}")
    results = measure_cases(cases, settings, workers)
    structures, results = _shared_classes(results, settings)
    problems = [*problems, *(Problem(one.case.name, one.problem) for one in results if one.problem)]
    rows = [row for one in results for row in one.rows]
    out = Path(out)
    if rows:
        write_rows(out / "cases.csv", rows)
    if problems and not (skip_bad and rows):
        # A summary of an earlier run would now contradict cases.csv.
        (out / "summary.json").unlink(missing_ok=True)
        raise InputError(_listed(problems, out / "cases.csv" if rows else None))
    summary = {
        **describe(settings, structures),
        "n_cases": len({row["case"] for row in rows}),
        "skipped": [vars(problem) for problem in problems],
        "notes": _notes(rows),
        **summarize(rows),
    }
    write_json(out / "summary.json", summary)
    print(text_table(summary))
    return summary


def describe(settings: Settings, structures: Sequence[Structure]) -> dict[str, Any]:
    """Return what was measured and how, for the summary: structures, protocol, policy and versions."""
    return {
        "structures": {one.name: list(one.labels) for one in (*structures, *settings.regions)},
        "label_map": {str(old): new for old, new in settings.label_map.items()},
        "protocol": {settings.protocol: PROTOCOLS[settings.protocol]},
        "tolerances_mm": list(settings.tolerances_mm),
        "empty_masks": POLICY,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("regionwise", "numpy", "scipy", "nibabel")},
        },
    }


def text_table(summary: Mapping[str, Any]) -> str:
    """Return the short table that the command prints: a structure a line, groups below."""
    lines = [f"{'structure':<24}{'Dice':>8}{'HD mm':>9}{'n':>6}{'TP':>6}{'FP':>5}{'FN':>5}{'TN':>5}"]
    parts = {"": summary["classes"], **summary["groups"]}
    for group, part in parts.items():
        for name, one in part.items():
            means = [one["metrics"][key]["mean"] if one["n"] else None for key in ("dice", "hd_mm")]
            numbers = [
                f"{'-':>{width}}" if mean is None else f"{mean:{width}.{digits}f}"
                for mean, width, digits in zip(means, (8, 9), (4, 2), strict=True)
            ]
            title = f"{name} ({group})" if group else name
            lines.append(
                f"{title:<24}{''.join(numbers)}{one['n']:>6}{one['TP']:>6}{one['FP']:>5}{one['FN']:>5}{one['TN']:>5}"
            )
    return "\n".join(
        [*lines, *(f"skipped {one['case']}: {one['reason']}" for one in summary["skipped"]), *summary["notes"]]
    )


def _shared_classes(results: list[CaseResult], settings: Settings) -> tuple[tuple[Structure, ...], list[CaseResult]]:
    """Where the classes were not given: those of the references; refuse other labels, add rows for absent ones."""
    if settings.classes is not None:
        return settings.classes, results
    labels = sorted({label for one in results for label in one.reference_labels})
    structures = tuple(Structure(f"class {label}", (label,)) for label in labels)
    return structures, [_with_classes(one, structures, settings) for one in results]


def _with_classes(result: CaseResult, structures: Sequence[Structure], settings: Settings) -> CaseResult:
    unknown = sorted(result.prediction_labels - {one.labels[0] for one in structures})
    if unknown:
        reason = f"{result.case.prediction} holds label {unknown[0]}, which no reference holds; name it in --classes"
        return CaseResult(result.case, problem=reason)
    if result.problem:
        return result
    rows = {row["class"]: row for row in result.rows}
    absent = np.zeros((0, 0, 0), bool)
    for one in structures:
        if one.name not in rows:
            measures = measure_structure(absent, absent, (1, 1, 1), settings.tolerances_mm)
            rows[one.name] = {"case": result.case.name, "class": one.name, **measures, "group": result.case.group}
    return replace(result, rows=[rows[one.name] for one in (*structures, *settings.regions)])


def _notes(rows: Sequence[Row]) -> list[str]:
    names = dict.fromkeys(row["class"] for row in rows)
    present = {row["class"] for row in rows if row["status"] != "TN"}
    return [f"{name} is in no reference and in no prediction: n = 0" for name in names if name not in present]


def _listed(problems: Sequence[Problem], written: Path | None) -> str:
    lines = [f"{one.case}: {one.reason}" for one in problems]
    kept = f"the results of the others are in {written}; " if written else ""
    head = f"{len(problems)} cases cannot be evaluated; {kept}correct the files, or pass --skip-bad to go on without:"
    return "\n  ".join([head, *lines])
