"""Compute all metrics of one case: one row per structure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from .. import metrics
from ..errors import InputError
from ..nifti import Volume, write_volume
from .cases import Case
from .probabilities import CaseCalibration, measure_probabilities
from .reading import read_pair, voxel_ml
from .settings import EvaluationSettings
from .stripes import count_changes
from .structures import Structure

Row = dict[str, Any]  # str, float or None, by column
Boxes = dict[int, tuple[slice, ...]]

ERROR_MAP_VALUES = {1: "false positive (background in the reference)", 2: "false negative", 3: "wrong class"}


@dataclass(frozen=True)
class CaseResult:
    """Measures of one case.

    Attributes:
        case: The case.
        rows: One row per structure.
        reference_labels: Label values of the reference.
        prediction_labels: Label values of the prediction.
        calibration: Calibration of the probabilities, if the case has any.
        problem: Why there are no rows; "" if there are.
        changes: Label changes of prediction and reference, by `regionwise.evaluation.stripes.count_changes`.
    """

    case: Case
    rows: list[Row] = field(default_factory=list)
    reference_labels: frozenset[int] = frozenset()
    prediction_labels: frozenset[int] = frozenset()
    calibration: CaseCalibration | None = None
    problem: str = ""
    changes: tuple[np.ndarray, np.ndarray] | None = field(default=None, compare=False)


def measure_case(case: Case, settings: EvaluationSettings, error_maps: Path | None = None) -> CaseResult:
    """Measure every structure of a case.

    Args:
        case: The case.
        settings: How to measure.
        error_maps: Folder to write its error map to; None: not written.

    Returns:
        The rows, or the problem of its files: a bad case does not affect the results of the others.

    Raises:
        InputError: If the error map cannot be written.
    """
    try:
        prediction, reference = read_pair(case, settings)
        boxes = [_boxes(volume) for volume in (prediction, reference)]
        structures = settings.classes
        if structures is None:
            structures = tuple(Structure(f"class {label}", (label,)) for label in sorted({*boxes[0], *boxes[1]}))
        _check_labels(structures, (prediction, reference), boxes)
        structures = (*structures, *settings.regions)
        calibration = measure_probabilities(case, prediction, reference, structures, settings)
    except InputError as error:
        return CaseResult(case, problem=str(error))
    rows = [_row(case, one, (prediction, reference), boxes, settings, calibration) for one in structures]
    if error_maps is not None:
        _write_error_map(error_maps / f"{case.name}.nii.gz", prediction, reference)
    around = _union([box for side in boxes for box in side.values()], reference.array.ndim, margin=1)
    changes = count_changes(prediction.array[around]), count_changes(reference.array[around])
    return CaseResult(case, rows, frozenset(boxes[1]), frozenset(boxes[0]), calibration, changes=changes)


def absent_row(case: Case, structure: Structure, settings: EvaluationSettings) -> Row:
    """Row of a structure that neither mask of a case holds."""
    nothing = np.zeros((0, 0, 0), bool)
    return {
        "case": case.name,
        "structure": structure.name,
        **metrics.measure_structure(nothing, nothing, (1, 1, 1), settings.tolerances_mm),
        **_optional(nothing, nothing, (1, 1, 1), structure, settings),
        "group": case.group,
        "patient": case.patient,
    }


def error_map(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Error map of two label maps, uint8: 0 for equal labels, else a key of `ERROR_MAP_VALUES`."""
    errors = np.zeros(reference.shape, np.uint8)
    errors[(prediction != reference)] = 3
    errors[(prediction != 0) & (reference == 0)] = 1
    errors[(prediction == 0) & (reference != 0)] = 2
    return errors


def _write_error_map(path: Path, prediction: Volume, reference: Volume) -> None:
    try:
        write_volume(path, error_map(prediction.array, reference.array), reference.affine)
    except OSError as error:
        raise InputError(f"cannot write the error map {path.name}: {error.strerror or error}") from error


def _boxes(volume: Volume) -> Boxes:
    """Return the bounding box of each label that occurs, 0 left out, from one pass over the array."""
    if volume.array.dtype == np.int64:
        raise InputError(f"{volume.path} holds label {volume.array.max()}; is it an image?")
    # SciPy walks in C order, and files are in Fortran order.
    found = enumerate(ndimage.find_objects(volume.array.T), start=1)
    return {label: box[::-1] for label, box in found if box is not None}


def _union(boxes: Sequence[tuple[slice, ...]], ndim: int, margin: int = 0) -> tuple[slice, ...]:
    """Return the box around boxes, and as many voxels around it as there are up to a margin; empty without boxes."""
    return tuple(
        slice(
            max(min((box[axis].start for box in boxes), default=0) - margin, 0),
            max((box[axis].stop + margin for box in boxes), default=0),
        )
        for axis in range(ndim)
    )


def _check_labels(structures: tuple[Structure, ...], volumes: tuple[Volume, Volume], boxes: list[Boxes]) -> None:
    known = {label for one in structures for label in one.labels}
    for volume, found in zip(volumes, boxes, strict=True):
        if unknown := sorted(set(found) - known):
            labels = ", ".join(str(label) for label in [0, *sorted(known)])
            raise InputError(f"{volume.path} holds label {unknown[0]}; the labels are {labels}")


def _row(
    case: Case,
    structure: Structure,
    volumes: tuple[Volume, Volume],
    boxes: list[Boxes],
    settings: EvaluationSettings,
    calibration: CaseCalibration | None,
) -> Row:
    reference = volumes[1]
    shape, spacing_mm = reference.array.shape, reference.spacing_mm
    found = [box for side in boxes for label, box in side.items() if label in structure.labels]
    box = _union(found, len(shape))
    # An axis of one voxel is dropped: a single slice is a 2-D image, its voxels are not all boundary.
    flat = tuple(axis for axis in range(len(shape)) if shape[axis] == 1)[: len(shape) - 2] if found else ()
    own, truth = (mask_of(volume.array[box], structure).squeeze(flat) for volume in volumes)
    spacing_kept_mm = [spacing_mm[axis] for axis in range(len(shape)) if axis not in flat]
    measures = metrics.measure_structure(
        own,
        truth,
        spacing_kept_mm,
        settings.tolerances_mm,
        metrics.image_diagonal_mm(shape, spacing_mm),
        voxel_ml(reference.affine),
    )
    return {
        "case": case.name,
        "structure": structure.name,
        **measures,
        **_optional(own, truth, spacing_kept_mm, structure, settings),
        **(calibration.columns[structure.name] if calibration else {}),
        "group": case.group,
        "patient": case.patient,
    }


def mask_of(labels: np.ndarray, structure: Structure) -> np.ndarray:
    """Voxels of a structure in a label array, as bool."""
    mask = labels == structure.labels[0]
    for label in structure.labels[1:]:
        mask |= labels == label
    return mask


def _optional(
    prediction: np.ndarray,
    reference: np.ndarray,
    spacing_mm: Sequence[float],
    structure: Structure,
    settings: EvaluationSettings,
) -> Row:
    """Measure the optional metrics; a column that does not apply to the structure is None."""
    row: Row = {}
    if settings.boundary_width_mm is not None:
        row["boundary_iou"] = metrics.boundary_iou(prediction, reference, spacing_mm, settings.boundary_width_mm)
    if settings.tubular:
        wanted = structure.name in settings.tubular
        row["center_line_dice"] = metrics.center_line_dice(prediction, reference) if wanted else None
    if settings.lesions:
        lesions = metrics.count_lesions(prediction, reference) if structure.name in settings.lesions else None
        row |= {
            "lesions_found": lesions and lesions.found,
            "lesions_missed": lesions and lesions.missed,
            "lesions_false": lesions and lesions.false,
            "lesion_sensitivity": lesions and metrics.lesion_sensitivity(lesions),
            "lesion_f1": lesions and metrics.lesion_f1(lesions),
            "lesion_count_difference": lesions and metrics.lesion_count_difference(lesions),
            "lesions_matched": lesions and lesions.matched,
            "lesion_f1_matched": lesions and metrics.lesion_f1_matched(lesions),
            "lesions_matched_iou50": lesions and lesions.matched_iou50,
            "lesion_f1_iou50": lesions and metrics.lesion_f1_iou50(lesions),
        }
    return row
