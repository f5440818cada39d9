"""Reading the prediction and the reference of a case, and refusing pairs that do not fit."""

import nibabel as nib
import numpy as np

from ..errors import InputError
from ..nifti import Volume, read_header, read_labels
from .cases import Case
from .settings import Settings

# Two affines are the same geometry if no corner of the image moves by more than this part of a voxel.
AFFINE_TOLERANCE_VOXELS = 0.1


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
        sizes_mm = nib.affines.voxel_sizes(header.affine)[: len(header.shape)]
        if not (np.isfinite(sizes_mm) & (sizes_mm > 0)).all():
            raise InputError(f"expected voxel sizes > 0 mm in {path}, found {sizes_mm.tolist()}; correct its header")
    if headers[0].shape != headers[1].shape:
        raise InputError(
            f"{case.prediction} has shape {headers[0].shape}, {case.reference} has {headers[1].shape}; "
            "resample the prediction to the reference"
        )
    moved = largest_move_voxels(headers[0].affine, headers[1].affine, headers[0].shape)
    if moved > AFFINE_TOLERANCE_VOXELS:
        raise InputError(
            f"the affines of {case.prediction} and {case.reference} differ (a corner moves by {moved:.3g} voxels); "
            "resample the prediction to the reference"
        )
    prediction, reference = read_labels(case.prediction), read_labels(case.reference)
    for volume in (prediction, reference):
        _map_labels(volume, settings)
    if settings.protocol == "paper":
        # Set to background rather than cut out: distances between slices stay true where labelled slices are apart.
        prediction.array[~labelled_slices(reference.array)] = 0
    return prediction, reference


def labelled_slices(reference: np.ndarray) -> np.ndarray:
    """Return which slices along the first axis hold a label, as a bool vector."""
    return reference.any(axis=tuple(range(1, reference.ndim)))


def largest_move_voxels(affine: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return how far two affines put a corner voxel of an image apart at most, in voxels of the second.

    Args:
        affine: float (4, 4), voxel indices to world mm.
        other: the same for the other image.
        shape: of both images.
    """
    ends = [(0, size - 1) for size in (*shape, 1)[:3]]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    places_mm = [nib.affines.apply_affine(one, corners) for one in (affine, other)]
    return float(np.linalg.norm(places_mm[0] - places_mm[1], axis=1).max() / nib.affines.voxel_sizes(other).min())


def voxel_ml(volume: Volume) -> float:
    """Return the volume of a voxel in ml, from the affine (so that a 2-D image has its slice thickness)."""
    return abs(float(np.linalg.det(volume.affine[:3, :3]))) / 1000


def _map_labels(volume: Volume, settings: Settings) -> None:
    for old, new in settings.label_map.items():
        found = volume.array == old
        if not found.any():
            continue
        if (volume.array == new).any():
            raise InputError(f"{volume.path} holds both {old} and {new}, which the label map makes one class")
        volume.array[found] = new
