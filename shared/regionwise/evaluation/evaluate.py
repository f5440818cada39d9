"""``python -m regionwise evaluate``: predictions and references in, cases.csv, summary.json and report.html out."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..nifti import read_header
from .cases import Case, Problem, printable
from .cases_csv import cases_csv, text_table
from .complete import with_all_structures
from .measure import CaseResult
from .output import as_folder, write_texts
from .pairing import find_cases, with_images, with_probabilities
from .parallel import measure_cases
from .report.html import report_html
from .result_folder import FILES, REVIEW, check_result_folder, error_map_folder, publish_error_maps
from .settings import EvaluationSettings
from .structures import Structure, named_classes
from .summary import summarize
from .trust import SOFT_DICE, case_trust, read_trust, review_csv, summarize_trust


def evaluate(
    predictions: str,
    references: str,
    out: str,
    dataset: str | None = None,
    section: str | None = None,
    split: str | None = None,
    regions: str | dict[str, list[int]] | None = None,
    classes: str | list[str] | dict[int, str] | None = None,
    num_classes: int | None = None,
    label_map: dict[int, int] | None = None,
    tolerances_mm: float | Sequence[float] = (1, 2),
    protocol: str = "full",
    lesions: str | Sequence[str] = (),
    tubular: str | Sequence[str] = (),
    boundary_width_mm: float | None = None,
    detection_ml: float | Sequence[float] = (0, 0.1, 1),
    probabilities: str | None = None,
    uncertainty: str | None = None,
    images: str | None = None,
    error_maps: bool = False,
    worst: int = 8,
    workers: int | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
) -> int:
    """Measure predicted label maps against references and write cases.csv, summary.json and report.html.

    Files are paired by name. Both must have the same shape and affine; all mismatches are listed together.

    Args:
        predictions: Folder of label maps (.nii.gz, .nii).
        references: Folder of label maps of the same names, or the root of ``dataset``.
        out: Folder to write to.
        dataset: Read ``references`` in the layout of acdc, brats, kits or msd.
        section: Part of the dataset: all (the default), train or val.
        split: The split that ``section`` is of: paper, kfold or a JSON file; by default the dataset's own.
        regions: Unions of classes to measure beside the classes: brats, or {name: [labels]}.
        classes: Names of labels 1, 2, ... (RV,Myo,LV), or {label: name}; by default those of the dataset, else every
            label that occurs in a reference is a class.
        num_classes: Number of classes with the background, for labels without names.
        label_map: Label values to replace in predictions and references; {4: 3} is the default for brats.
        tolerances_mm: Tolerances of the surface Dice, one column per value.
        protocol: full, or paper (only slices whose reference holds a label, as the paper did for KiTS).
        lesions: Structures to count by lesion as well.
        tubular: Structures that are tubes, for center-line Dice.
        boundary_width_mm: Measure boundary IoU with a rim of this width.
        detection_ml: Volumes below which a structure counts as absent in the detection table.
        probabilities: Folder of class probabilities (*spatial, classes) of the same names, for calibration.
        uncertainty: The uncertainty.csv of ``regionwise predict --uncertainty``: does its trust score find the cases
            that went wrong? By default the score is the soft Dice confidence of ``probabilities``.
        images: Folder of scans of the same names, shown under the overlays.
        error_maps: Write where prediction and reference differ to OUT/error_maps (1 false positive, 2 false negative,
            3 wrong class).
        worst: Number of worst cases that the report shows.
        workers: Number of processes; by default one per core. A script that calls this with more than one needs
            ``if __name__ == "__main__":`` around it, as always where Python starts processes.
        skip_bad: Continue without cases that cannot be evaluated, and list them in summary and report.
        overwrite: Replace existing results in ``out``.

    Returns:
        0; bad cases without ``skip_bad`` raise after the results of the others are in cases.csv.
    """
    settings = EvaluationSettings.from_options(
        dataset,
        classes=classes,
        num_classes=num_classes,
        regions=regions,
        label_map=label_map,
        tolerances_mm=tolerances_mm,
        detection_ml=detection_ml,
        lesions=lesions,
        tubular=tubular,
        protocol=protocol,
        boundary_width_mm=boundary_width_mm,
    )
    cases, problems = find_cases(predictions, references, dataset, section, split)
    if probabilities is not None:
        cases, more = with_probabilities(cases, probabilities)
        problems = [*problems, *more]
    if images is not None:
        cases = with_images(cases, images)
    given = {"predictions": predictions, "references": references, "dataset": dataset}
    given |= {"split": split, "section": section or ("all" if dataset else None)}
    # Names only: a result is passed on, the paths of the machine it was made on are not.
    about = {key: printable(Path(value).name) for key, value in given.items() if value is not None}
    evaluate_cases(
        cases, out, settings, workers=workers, skip_bad=skip_bad, problems=problems, worst=worst, about=about,
        error_maps=error_maps, uncertainty=uncertainty, overwrite=overwrite,
    )  # fmt: skip
    return 0


def evaluate_cases(
    cases: Sequence[Case],
    out: str | os.PathLike,
    settings: EvaluationSettings | None = None,
    *,
    workers: int | None = None,
    skip_bad: bool = False,
    problems: Sequence[Problem] = (),
    worst: int = 8,
    about: Mapping[str, str] | None = None,
    error_maps: bool = False,
    uncertainty: str | os.PathLike | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Measure cases, write ``cases.csv``, ``summary.json`` and ``report.html``, and print a short table.

    The files are written together at the end, or none of them: with a trust score (`regionwise.evaluation.trust`) also
    ``review.csv``, which says which cases to send to a human. No file of an input is ever overwritten.

    Args:
        cases: Cases with unique names.
        out: Folder to write to.
        settings: Settings of the evaluation.
        workers: Number of processes; by default one per core. A script that calls this with more than one needs
            ``if __name__ == "__main__":`` around it, as always where Python starts processes.
        skip_bad: Continue without cases that cannot be evaluated.
        problems: Cases already known to be bad.
        worst: Number of worst cases that the report shows.
        about: Further facts for summary and report: data, split, model, seed.
        error_maps: Write error maps to ``out``/error_maps.
        uncertainty: Table with a trust score per case; by default it is the soft Dice confidence of the probabilities.
        overwrite: Replace existing results in ``out``. Those of a run that ended with bad cases
            (``cases.csv`` alone) are replaced without.

    Returns:
        The content of ``summary.json``.

    Raises:
        InputError: If a case cannot be evaluated and ``skip_bad`` is not set (cases.csv holds the others), no case can,
            or the results cannot be written or would overwrite something.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from regionwise.evaluation import Case
        >>> from regionwise.nifti import write_volume
        >>> folder = Path(tempfile.mkdtemp())
        >>> labels = np.zeros((8, 8, 8), np.uint8)
        >>> labels[2:6, 2:6, 2:6] = 1
        >>> write_volume(folder / "reference.nii.gz", labels, np.eye(4))
        >>> write_volume(folder / "prediction.nii.gz", np.roll(labels, 1, axis=0), np.eye(4))
        >>> case = Case("patient1", folder / "prediction.nii.gz", folder / "reference.nii.gz")
        >>> summary = evaluate_cases([case], folder / "results", workers=1)  # doctest: +ELLIPSIS
        structure                      Dice   HD mm     n    TP   FP   FN   TN
        class 1                       0.750    1.00     1     1    0    0    0
        report: ...report.html
        >>> summary["structures"]["class 1"]["metrics"]["dice"]["mean"]
        0.75
    """
    out, settings = as_folder(out, "evaluate"), settings or EvaluationSettings()
    _check_count("workers", workers, lowest=1)
    _check_count("worst", worst, lowest=0)
    _check_cases(cases)
    check_result_folder(cases, out, error_maps, overwrite)
    if settings.classes is None:
        settings = replace(settings, classes=_classes_of_probabilities(cases))
    with error_map_folder(out, error_maps) as maps:
        structures, results = with_all_structures(measure_cases(cases, settings, workers, maps), settings)
        problems = [*problems, *(Problem(one.case.name, one.problem) for one in results if one.problem)]
        results = [one for one in results if not one.problem]
        if problems and not (skip_bad and results):
            raise _bad_cases(problems, out, cases_csv([row for one in results for row in one.rows]) if results else "")
        summary = {
            "about": dict(about or {}),
            "skipped": [vars(one) for one in problems],
            **summarize(results, structures, settings),
            "trust": _trust(results, uncertainty),
        }
        report = report_html(results, structures, settings, summary, worst, error_maps)
        rows = [row for one in results for row in one.rows]
        text = json.dumps(summary, indent=2, allow_nan=False) + "\n"
        texts = dict(zip(FILES, (cases_csv(rows), text, report), strict=True))
        if summary["trust"] is not None:
            texts[REVIEW] = review_csv(summary["trust"])
        write_texts({out / name: content for name, content in texts.items()})
        if maps is not None:
            publish_error_maps(maps, out / "error_maps")
    print(text_table(summary))
    print(f"report: {out / 'report.html'}")
    return summary


def _trust(results: Sequence[CaseResult], uncertainty: str | os.PathLike | None) -> dict[str, Any] | None:
    if uncertainty is not None:
        return summarize_trust(results, *read_trust(uncertainty, [one.case.name for one in results]))
    trust = case_trust(results)
    return summarize_trust(results, trust, SOFT_DICE) if trust else None


def _check_count(name: str, value: int | None, lowest: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < lowest):
        raise InputError(f"expected --{name} as an integer of at least {lowest}, got {value!r}")


def _check_cases(cases: Sequence[Case]) -> None:
    if not cases:
        raise InputError("no case to evaluate")
    doubled = [name for name, count in Counter(case.name for case in cases).items() if count > 1]
    if doubled:
        raise InputError(f"case names must differ, found '{doubled[0]}' more than once")
    if len({case.probabilities is None for case in cases}) > 1:
        bare = next(case.name for case in cases if case.probabilities is None)
        raise InputError(f"expected probabilities for every case or for none, '{bare}' has none")


def _classes_of_probabilities(cases: Sequence[Case]) -> tuple[Structure, ...] | None:
    path = next((case.probabilities for case in cases if case.probabilities is not None), None)
    return None if path is None else named_classes(None, read_header(path).shape[-1])


def _bad_cases(problems: Sequence[Problem], out: Path, table: str) -> InputError:
    """Keep the results of the other cases and return the error that lists the bad ones."""
    kept = ""
    if table:
        write_texts({out / "cases.csv": table})
        kept = f"the results of the others are in {out / 'cases.csv'}; "
    for name in ("summary.json", "report.html", REVIEW):
        # One of an earlier run would now contradict cases.csv.
        (out / name).unlink(missing_ok=True)
    count = f"{len(problems)} case{'s' if len(problems) > 1 else ''}"
    head = f"{count} cannot be evaluated; {kept}correct the files, or pass --skip_bad to go on without:"
    return InputError("\n  ".join([head, *(f"{one.case}: {one.reason}" for one in problems)]))
