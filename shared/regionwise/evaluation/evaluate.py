"""``python -m regionwise evaluate``: predictions and references in, cases.csv, summary.json and report.html out."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_json
from ..nifti import read_header
from .cases import Case, Problem
from .cases_csv import text_table, write_rows
from .measure import CaseResult, absent_row
from .pairing import find_cases, with_images, with_probabilities
from .parallel import measure_cases
from .report.html import write_report
from .settings import Settings
from .structures import REGIONS, Structure, dataset_classes, named_classes, named_regions
from .summary import summarize


def evaluate(
    predictions: str | os.PathLike,
    references: str | os.PathLike,
    out: str | os.PathLike,
    dataset: str | None = None,
    section: str = "all",
    split: str | None = None,
    regions: str | Mapping[str, Sequence[int]] | None = None,
    classes: str | Sequence[str] | Mapping[int, str] | None = None,
    num_classes: int | None = None,
    label_map: Mapping[int, int] | None = None,
    tolerances_mm: Sequence[float] | float = (1, 2),
    protocol: str = "full",
    lesions: str | Sequence[str] = (),
    tubular: str | Sequence[str] = (),
    boundary_width_mm: float | None = None,
    detection_ml: Sequence[float] | float = (0, 0.1, 1),
    probabilities: str | os.PathLike | None = None,
    images: str | os.PathLike | None = None,
    error_maps: bool = False,
    worst: int = 8,
    workers: int | None = None,
    skip_bad: bool = False,
) -> int:
    """Measure predicted label maps against references and write cases.csv, summary.json and report.html.

    Files are paired by name. Both sides must share shape and affine; what does not fit is named in one list.

    Args:
        predictions: folder of label maps (.nii.gz, .nii).
        references: folder of label maps of the same names, or the root of ``dataset``.
        out: folder to write to.
        dataset: read ``references`` in the layout of acdc, brats, kits or msd.
        section: part of the dataset: all, train or val.
        split: which split ``section`` is of: paper, kfold or a JSON file; by default the dataset's own.
        regions: unions of classes to measure beside the classes: brats, or {name: [labels]}.
        classes: names of labels 1, 2, ... (RV,Myo,LV), or {label: name}; by default those of the dataset, else every
            label that occurs in a reference is a class.
        num_classes: number of classes with the background, for labels without names.
        label_map: label values to replace in predictions and references; {4: 3} is the default for brats.
        tolerances_mm: one surface Dice for each.
        protocol: full, or paper (only slices whose reference holds a label, as the paper did for KiTS).
        lesions: structures to count by lesion as well.
        tubular: structures that are tubes, for centre-line Dice.
        boundary_width_mm: measure boundary IoU with a rim of this width.
        detection_ml: volumes below which a structure counts as absent in the detection table.
        probabilities: folder of class probabilities (*spatial, classes) of the same names, for calibration.
        images: folder of scans of the same names, shown under the overlays.
        error_maps: write where prediction and reference differ to OUT/error_maps (1 false positive, 2 false negative,
            3 wrong class).
        worst: how many of the worst cases the report shows.
        workers: processes; by default one a core. A script that calls this with more than one needs
            ``if __name__ == "__main__":`` around it, as always where Python starts processes.
        skip_bad: go on without cases that cannot be evaluated, and say so in summary and report.

    Returns:
        0; bad cases without ``skip_bad`` raise after the results of the others are in cases.csv.
    """
    known = dataset or (regions if isinstance(regions, str) and regions in REGIONS else None)
    names, aliases = dataset_classes(known) if known else (None, {})
    settings = Settings(
        classes=named_classes(names if classes is None and num_classes is None else classes, num_classes),
        regions=named_regions(regions),
        label_map=dict(aliases if label_map is None else label_map),
        tolerances_mm=_numbers(tolerances_mm),
        protocol=protocol,
        lesions=_names(lesions),
        tubular=_names(tubular),
        boundary_width_mm=boundary_width_mm,
        detection_ml=_numbers(detection_ml),
        error_maps=Path(out) / "error_maps" if error_maps else None,
    )
    cases, problems = find_cases(predictions, references, dataset, section, split)
    if probabilities is not None:
        cases, more = with_probabilities(cases, probabilities)
        problems = [*problems, *more]
    if images is not None:
        cases = with_images(cases, images)
    given = {"predictions": predictions, "references": references, "dataset": dataset, "split": split}
    if dataset is not None:
        given["section"] = section
    # Names only: a result is passed on, the paths of the machine it was made on are not.
    about = {key: Path(value).name for key, value in given.items() if value is not None}
    evaluate_cases(
        cases, out, settings, workers=workers, skip_bad=skip_bad, problems=problems, worst=worst, about=about
    )
    return 0


def evaluate_cases(
    cases: Sequence[Case],
    out: str | os.PathLike,
    settings: Settings | None = None,
    *,
    workers: int | None = None,
    skip_bad: bool = False,
    problems: Sequence[Problem] = (),
    worst: int = 8,
    about: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Measure cases, write ``cases.csv``, ``summary.json`` and ``report.html``, and print a short table.

    Args:
        cases: what to measure; names must differ.
        out: folder to write to.
        settings: how to measure.
        workers: processes; by default one a core. A script that calls this with more than one needs
            ``if __name__ == "__main__":`` around it, as always where Python starts processes.
        skip_bad: go on without cases that cannot be evaluated.
        problems: cases that are known to be bad already.
        worst: how many of the worst cases the report shows.
        about: what else summary and report should say: data, split, model, seed.

    Returns:
        The content of ``summary.json``.

    Raises:
        InputError: a case cannot be evaluated and ``skip_bad`` is not set; cases.csv holds the others. Or no case can.
    """
    out, settings = Path(out), settings or Settings()
    doubled = [name for name, count in Counter(case.name for case in cases).items() if count > 1]
    if doubled:
        raise InputError(f"case names must differ, found '{doubled[0]}' more than once")
    if len({case.probabilities is None for case in cases}) > 1:
        bare = next(case.name for case in cases if case.probabilities is None)
        raise InputError(f"expected probabilities for every case or for none, '{bare}' has none")
    if settings.classes is None:
        settings = replace(settings, classes=_classes_of_probabilities(cases))
    structures, results = _with_all_classes(measure_cases(cases, settings, workers), settings)
    problems = [*problems, *(Problem(one.case.name, one.problem) for one in results if one.problem)]
    results = [one for one in results if not one.problem]
    if results:
        write_rows(out / "cases.csv", [row for one in results for row in one.rows])
    if problems and not (skip_bad and results):
        for name in ("summary.json", "report.html"):
            # One of an earlier run would now contradict cases.csv.
            (out / name).unlink(missing_ok=True)
        raise InputError(_listed(problems, out / "cases.csv" if results else None))
    summary = {
        "about": dict(about or {}),
        "skipped": [vars(one) for one in problems],
        **summarize(results, structures, settings),
    }
    write_report(out / "report.html", results, structures, settings, summary, worst)
    write_json(out / "summary.json", summary)
    print(text_table(summary))
    print(f"report: {out / 'report.html'}")
    return summary


def _classes_of_probabilities(cases: Sequence[Case]) -> tuple[Structure, ...] | None:
    path = next((case.probabilities for case in cases if case.probabilities is not None), None)
    return None if path is None else named_classes(None, read_header(path).shape[-1])


def _with_all_classes(results: list[CaseResult], settings: Settings) -> tuple[tuple[Structure, ...], list[CaseResult]]:
    """Return all structures and results with a row for each.

    Where the classes were not given, they are the labels of the references: other labels are refused, and cases without
    a label get its row.
    """
    if settings.classes is not None:
        return (*settings.classes, *settings.regions), results
    labels = sorted({label for one in results for label in one.reference_labels})
    structures = (*(Structure(f"class {label}", (label,)) for label in labels), *settings.regions)
    full = []
    for one in results:
        unknown = sorted(one.prediction_labels - set(labels))
        if unknown:
            text = f"{one.case.prediction} holds label {unknown[0]}, which no reference holds; name it in --classes"
            one = CaseResult(one.case, problem=text)
        elif not one.problem:
            rows = {row["class"]: row for row in one.rows}
            rows = [rows.get(each.name) or absent_row(one.case, each, settings) for each in structures]
            one = replace(one, rows=rows)
        full.append(one)
    return structures, full


def _listed(problems: Sequence[Problem], written: Path | None) -> str:
    kept = f"the results of the others are in {written}; " if written else ""
    count = f"{len(problems)} case{'s' if len(problems) > 1 else ''}"
    head = f"{count} cannot be evaluated; {kept}correct the files, or pass --skip-bad to go on without:"
    return "\n  ".join([head, *(f"{one.case}: {one.reason}" for one in problems)])


def _numbers(values: Sequence[float] | float) -> tuple[float, ...]:
    return tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else (values,)


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(map(str, names))
