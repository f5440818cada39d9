"""Complete per-case results: every case gets a row for every structure, also if classes were not named."""

from collections.abc import Sequence
from dataclasses import replace

from ..errors import InputError
from .measure import CaseResult, absent_row
from .settings import EvaluationSettings
from .structures import Structure


def with_all_structures(
    results: Sequence[CaseResult], settings: EvaluationSettings
) -> tuple[tuple[Structure, ...], list[CaseResult]]:
    """Give every result a row for every structure.

    Where the classes were not given, they are the labels of the references: other labels make a case a problem, and
    cases without a label get its row.

    Returns:
        All structures, and the results.

    Raises:
        InputError: If there is nothing to measure (no reference holds a label), or a structure that is to be counted
            by lesion or center line does not exist.
    """
    if settings.classes is not None:
        return (*settings.classes, *settings.regions), list(results)
    labels = sorted({label for one in results for label in one.reference_labels})
    structures = (*(Structure(f"class {label}", (label,)) for label in labels), *settings.regions)
    full = [_completed(one, structures, set(labels), settings) for one in results]
    if any(not one.problem for one in full):
        if not structures:
            raise InputError("no reference holds a label, all are 0 everywhere; name the classes with --classes")
        settings.check_names([one.name for one in structures])
    return structures, full


def _completed(
    result: CaseResult, structures: Sequence[Structure], labels: set[int], settings: EvaluationSettings
) -> CaseResult:
    if unknown := sorted(result.prediction_labels - labels):
        text = f"{result.case.prediction} holds label {unknown[0]}, which no reference holds; name it in --classes"
        return CaseResult(result.case, problem=text)
    if result.problem:
        return result
    rows = {row["structure"]: row for row in result.rows}
    return replace(result, rows=[rows.get(one.name) or absent_row(result.case, one, settings) for one in structures])
