"""The one check of where an image's voxels lie and what they hold, which every reader of scans and labels uses.

Pure functions over headers, affines and arrays. Each problem is one line that names the file. What is refused:

* voxels that are no real numbers (complex, RGB, records), a wrong number of axes, an axis without voxels;
* units other than millimeters (unknown counts as millimeters; meters and micrometers are not converted, because other
  tools that read the file would not convert them either);
* an affine with NaN or infinity, singular, sheared, or with voxel sizes that no scan of a patient has;
* voxels with NaN or infinity, without contrast, or so large or so alike that float32 arithmetic loses them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

SPACING_RANGE_MM = (0.05, 20.0)
"""A voxel size outside this range is a unit error or a damaged header, not a scan of a patient."""

SHEAR_TOLERANCE = 1e-3
"""Largest cosine between two voxel axes that counts as a right angle; distances are then right to 0.1 %."""

AFFINE_TOLERANCE_VOXELS = 0.1
"""Two affines are the same geometry if no corner of the image moves by more than this part of a voxel."""

LARGEST_VALUE = 1e12
"""A voxel beyond this is a damaged file or scaling: its square would come near the end of float32."""

SMALLEST_CONTRAST = 1e-12
"""A scan whose values differ by less is a damaged scaling: the variance would underflow in float32."""

UNIT_NAMES = {0: "unknown", 1: "meters", 2: "millimeters", 3: "micrometers"}


@dataclass(frozen=True)
class Grid:
    """The voxel grid of a file.

    Attributes:
        shape: of the array.
        affine: float64 (4, 4), voxel indices to world mm.
        path: the file.
    """

    shape: tuple[int, ...]
    affine: np.ndarray
    path: Path

    @property
    def spacing_mm(self) -> np.ndarray:
        """Return the voxel size along each array axis, in mm."""
        return np.linalg.norm(self.affine[:3, : min(len(self.shape), 3)], axis=0)


def find_header_problems(image: nib.Nifti1Pair, path: Path, ndims: Sequence[int] = (3,)) -> list[str]:
    """List what makes a NIfTI header unfit to measure or segment by.

    Args:
        image: an opened file; its voxels are not read.
        path: the file.
        ndims: accepted numbers of axes.

    Returns:
        One line per problem; empty when there is none.
    """
    problems = []
    shape, dtype = tuple(image.shape), image.get_data_dtype()
    if len(shape) not in ndims or min(shape, default=0) < 1:
        expected = " or ".join(f"{ndim}-D" for ndim in ndims)
        hint = "; is it a time series or a probability map?" if len(shape) > max(ndims) else ""
        problems.append(f"expected a {expected} image, found shape {shape} in {path}{hint}")
    if dtype.kind not in "iuf":
        kind = {"c": "complex numbers", "V": "colors or records"}.get(dtype.kind, str(dtype))
        problems.append(
            f"expected one real number per voxel, found {kind} in {path}; export the magnitude or gray values"
        )
    unit = int(image.header["xyzt_units"]) & 7
    if unit not in (0, 2):
        found = UNIT_NAMES.get(unit, f"the unknown code {unit}")
        problems.append(f"expected millimeters, found {found} as the unit in the header of {path}; convert it to mm")
    return problems + find_affine_problems(Grid(shape, np.asarray(image.affine, np.float64), path))


def find_affine_problems(grid: Grid) -> list[str]:
    """List what makes an affine unfit: not finite, voxel sizes out of range, singular or sheared (at most one line).

    A 2-D image is checked along its two axes only.
    """
    if not np.isfinite(grid.affine).all():
        return [f"expected a finite affine, found NaN or infinity in {grid.path}"]
    low, high = SPACING_RANGE_MM
    spacing_mm = grid.spacing_mm
    if not ((spacing_mm >= low * (1 - 1e-6)) & (spacing_mm <= high * (1 + 1e-6))).all():
        found = " x ".join(f"{size:.4g}" for size in spacing_mm)
        return [f"expected voxel sizes of {low:g}-{high:g} mm, found {found} mm in {grid.path}"]
    axes = grid.affine[:3, : len(spacing_mm)] / spacing_mm
    cosines = axes.T @ axes - np.eye(len(spacing_mm))
    if np.linalg.det(axes.T @ axes) < 1e-4:
        return [f"expected axes that span a volume, found a singular affine in {grid.path}"]
    if np.abs(cosines).max(initial=0) > SHEAR_TOLERANCE:
        degrees = np.degrees(np.arccos(np.clip(np.abs(cosines).max(), 0, 1)))
        return [
            f"expected axes at right angles, found a sheared affine ({degrees:.4g} degrees) in {grid.path}; "
            "resample it to a grid without shear (gantry tilt)"
        ]
    return []


def find_value_problems(array: np.ndarray, path: Path) -> list[str]:
    """List what makes the voxels of a scan unfit for a network (at most one line).

    Args:
        array: real numbers of any shape, not empty.
        path: the file.
    """
    low, high = float(array.min()), float(array.max())
    if not np.isfinite((low, high)).all():
        count = array.size - np.count_nonzero(np.isfinite(array))
        return [f"expected finite voxels, found {count} NaN or infinite in {path}"]
    if low == high:
        return [f"expected an image, found {low:g} in every voxel of {path}"]
    if max(-low, high) > LARGEST_VALUE or high - low < SMALLEST_CONTRAST:
        return [f"expected the values of a scan, found {low:g} to {high:g} in {path}; is its scl_slope right?"]
    return []


def find_grid_problems(first: Grid, other: Grid) -> list[str]:
    """List in what two grids that should be one differ: shape, or else affine (at most one line)."""
    if other.shape != first.shape:
        return [f"expected one shape in a case, found {other.shape} in {other.path}, {first.shape} in {first.path}"]
    moved = largest_move_voxels(other.affine, first.affine, first.shape)
    if not moved <= AFFINE_TOLERANCE_VOXELS:
        moved_mm = moved * float(first.spacing_mm.min())
        return [f"expected one affine in a case, found {other.path} up to {moved_mm:.3g} mm away from {first.path}"]
    return []


def largest_move_voxels(affine: np.ndarray, other: np.ndarray, shape: Sequence[int]) -> float:
    """Return how far two affines put a corner voxel of an image apart at most, in (the smallest) voxels of the second.

    Args:
        affine: float (4, 4), voxel indices to world mm.
        other: the same for the other image.
        shape: of both images.

    Returns:
        The distance; infinity where an affine holds NaN or infinity.
    """
    if not (np.isfinite(affine).all() and np.isfinite(other).all()):
        return float("inf")
    ends = [(0, size - 1) for size in (*shape, 1)[:3]]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, len(ends))
    corners = np.pad(corners, ((0, 0), (0, 3 - corners.shape[1])))
    moved_mm = nib.affines.apply_affine(affine, corners) - nib.affines.apply_affine(other, corners)
    smallest_mm = nib.affines.voxel_sizes(other)[: len(shape)].min()
    return float(np.linalg.norm(moved_mm, axis=1).max() / smallest_mm) if smallest_mm > 0 else float("inf")
