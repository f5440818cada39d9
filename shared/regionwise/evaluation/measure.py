"""One case: files in, one row of measures a structure out."""

from dataclasses import dataclass, field

import nibabel as nib
import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..metrics import image_diagonal_mm, measure_structure
from ..nifti import Volume, read_header, read_labels
from .cases import Case
from .settings import Settings
from .structures import Structure

Row = dict[str, str | float]

# Two affines are the same geometry if no corner of the image moves by more than this part of a voxel.
AFFINE_TOLERANCE_VOXELS = 0.1


@dataclass(frozen=True)
class CaseResult:
    """What was measured on a case.

    Attributes:
        case: the case.
        rows: one a structure.
        reference_labels: label values of the reference.
        prediction_labels: label values of the prediction.
        problem: why there are no rows; "" if there are.
    """

    case: Case
    rows: list[Row] = field(default_factory=list)
    reference_labels: frozenset[int] = frozenset()
    prediction_labels: frozenset[int] = frozenset()
    problem: str = ""


def measure_case(case: Case, settings: Settings) -> CaseResult:
    """Measure every structure of a case.

    Returns:
        The rows, or the problem that the files have: a bad case never costs the others their results.
    """
    try:
        prediction, reference = read_pair(case, settings)
        boxes = _boxes(prediction.array), _boxes(reference.array)
        structures = settings.classes
        if structures is None:
            structures = tuple(Structure(f"class {label}", (label,)) for label in sorted({*boxes[0], *boxes[1]}))
        known = {label for one in structures for label in one.labels}
        for volume, found in zip((prediction, reference), boxes, strict=True):
            if unknown := sorted(set(found) - known):
                raise InputError(f"{volume.path} holds label {unknown[0]}; the labels are {_listed(known)}")
    except InputError as error:
        return CaseResult(case, problem=str(error))
    rows = [
        {"case": case.name, "class": one.name, **_measure(one, prediction, reference, boxes, settings)}
        | {"group": case.group}
        for one in (*structures, *settings.regions)
    ]
    return CaseResult(case, rows, frozenset(boxes[1]), frozenset(boxes[0]))


def read_pair(case: Case, settings: Settings) -> tuple[Volume, Volume]:
    """Read the prediction and the reference of a case as the settings want them.

    Raises:
        InputError: a file cannot be read, is no label map, or the two do not share their geometry.
    """
    headers = read_header(case.prediction), read_header(case.reference)
    for path, header in zip((case.prediction, case.reference), headers, strict=True):
        if len(header.shape) not in (2, 3):
            raise InputError(
                f"expected a 2-D or 3-D label map in {path}, found shape {header.shape}; "
                "is it a time series or a probability map?"
            )
    if headers[0].shape != headers[1].shape:
        raise InputError(
            f"{case.prediction} has shape {headers[0].shape}, {case.reference} has {headers[1].shape}; "
            "resample the prediction to the reference"
        )
    moved = _largest_move_voxels(headers[0].affine, headers[1].affine, headers[0].shape)
    if moved > AFFINE_TOLERANCE_VOXELS:
        raise InputError(
            f"the affines of {case.prediction} and {case.reference} differ (a corner moves by {moved:.3g} voxels); "
            "resample the prediction to the reference"
        )
    prediction, reference = read_labels(case.prediction), read_labels(case.reference)
    for volume in (prediction, reference):
        for old, new in settings.label_map.items():
            volume.array[volume.array == old] = new
    if settings.protocol == "paper":
        labelled = reference.array.any(axis=tuple(range(1, reference.array.ndim)))
        prediction.array[~labelled] = 0
    return prediction, reference


def _largest_move_voxels(affine: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> float:
    ends = [(0, size - 1) for size in (*shape, 1)[:3]]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    moves_mm = np.linalg.norm(
        nib.affines.apply_affine(affine, corners) - nib.affines.apply_affine(other, corners), axis=1
    )
    return float(moves_mm.max() / nib.affines.voxel_sizes(other).min())


def _boxes(labels: np.ndarray) -> dict[int, tuple[slice, ...]]:
    """Return the bounding box of each label that occurs, 0 left out, from one pass over the array."""
    return {label: box for label, box in enumerate(ndimage.find_objects(labels), start=1) if box is not None}


def _measure(structure: Structure, prediction: Volume, reference: Volume, boxes: tuple, settings: Settings) -> Row:
    shape, spacing_mm = reference.array.shape, reference.spacing_mm
    found = [box for side in boxes for label, box in side.items() if label in structure.labels]
    box = tuple(
        slice(min((one[axis].start for one in found), default=0), max((one[axis].stop for one in found), default=0))
        for axis in range(len(shape))
    )
    # Axes of one voxel are dropped: a single slice is a 2-D image, its voxels are not all boundary.
    flat = tuple(axis for axis in range(len(shape)) if shape[axis] == 1) if found else ()
    return measure_structure(
        _mask(prediction.array[box], structure).squeeze(flat),
        _mask(reference.array[box], structure).squeeze(flat),
        [spacing_mm[axis] for axis in range(len(shape)) if axis not in flat],
        settings.tolerances_mm,
        image_diagonal_mm(shape, spacing_mm),
        abs(float(np.linalg.det(reference.affine[:3, :3]))) / 1000,
    )


def _mask(labels: np.ndarray, structure: Structure) -> np.ndarray:
    mask = labels == structure.labels[0]
    for label in structure.labels[1:]:
        mask |= labels == label
    return mask


def _listed(labels: set[int]) -> str:
    return ", ".join(str(label) for label in [0, *sorted(labels)])
