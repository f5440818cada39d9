"""Read the prediction and the reference of a case, and reject pairs that do not match."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from ..errors import InputError
from ..geometry import AFFINE_TOLERANCE_VOXELS, largest_move_voxels
from ..nifti import Volume, check_header, read_header, read_labels
from .cases import Case
from .settings import EvaluationSettings


def read_pair(case: Case, settings: EvaluationSettings) -> tuple[Volume, Volume]:
    """Read the prediction and the reference of a case according to the settings.

    Raises:
        InputError: If a file cannot be read, is not a label map in mm, or their geometries differ.
    """
    headers = [(path, read_header(path)) for path in (case.prediction, case.reference)]
    for path, header in headers:
        check_header(header, path, ndims=(2, 3))
        if voxel_ml(header.affine) == 0:
            raise InputError(f"expected axes that span a volume, found a singular affine in {path}; correct its header")
    check_same_grid(*headers)
    volumes = (_with_mapped_labels(read_labels(path), settings) for path, _ in headers)
    prediction, reference = volumes
    if settings.protocol == "paper":
        # Set to background rather than cut out: distances between slices stay true where labeled slices are apart.
        prediction.array[~labeled_slices(reference.array)] = 0
    return prediction, reference


def check_same_grid(prediction: tuple[Path, nib.Nifti1Image], reference: tuple[Path, nib.Nifti1Image]) -> None:
    """Check that two files lie on the same voxels.

    Raises:
        InputError: If shape or affine differ.
    """
    (path, header), (other_path, other) = prediction, reference
    if header.shape != other.shape:
        raise InputError(
            f"{path} has shape {header.shape}, {other_path} has {other.shape}; resample the prediction to the reference"
        )
    moved = largest_move_voxels(header.affine, other.affine, header.shape)
    # Written so that NaN fails too.
    if not moved <= AFFINE_TOLERANCE_VOXELS:
        raise InputError(
            f"the affines of {path} and {other_path} differ (a corner moves by {moved:.3g} voxels); "
            "resample the prediction to the reference"
        )


def labeled_slices(reference: np.ndarray) -> np.ndarray:
    """Mask of the slices along the first axis that hold a label, bool (slices,)."""
    return np.asarray(reference.any(axis=tuple(range(1, reference.ndim))))


def voxel_ml(affine: np.ndarray) -> float:
    """Volume of a voxel in ml, from the affine (so that a 2-D image keeps its slice thickness)."""
    return abs(float(np.linalg.det(affine[:3, :3]))) / 1000


def _with_mapped_labels(volume: Volume, settings: EvaluationSettings) -> Volume:
    """Replace label values, all at once: {1: 2, 2: 1} exchanges two."""
    found = [(volume.array == old, old, new) for old, new in settings.label_map.items()]
    found = [one for one in found if one[0].any()]
    if not found:
        return volume
    replaced = [old for _, old, _ in found]
    for _, old, new in found:
        kept = new not in replaced and (volume.array == new).any()
        if kept or [each for _, _, each in found].count(new) > 1:
            other = new if kept else next(o for _, o, n in found if n == new and o != old)
            raise InputError(f"{volume.path} holds both {old} and {other}, which the label map makes one class")
    array = volume.array.astype(np.promote_types(volume.array.dtype, np.min_scalar_type(max(n for *_, n in found))))
    for where, _, new in found:
        array[where] = new
    return replace(volume, array=array)
