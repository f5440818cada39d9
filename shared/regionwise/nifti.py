"""Reading and writing NIfTI scans and label maps, with errors that name the file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from .errors import InputError
from .files import atomic_path
from .geometry import Grid, find_header_problems
from .voxels import UNREADABLE, first_line, read_voxels

SUFFIXES = (".nii.gz", ".nii")
"""Names of the files that are scans or label maps end so, in any case of letters."""


@dataclass(frozen=True)
class Volume:
    """An image or label map with its geometry.

    Attributes:
        array: voxels in file order.
        affine: float64 (4, 4), voxel indices to world mm.
        path: the file it came from.
    """

    array: np.ndarray
    affine: np.ndarray
    path: Path

    @property
    def grid(self) -> Grid:
        """Return where the voxels lie."""
        return Grid(self.array.shape, self.affine, self.path)

    @property
    def spacing_mm(self) -> tuple[float, ...]:
        """Return the voxel size along each array axis, in mm, from the affine."""
        return tuple(map(float, self.grid.spacing_mm))


def is_nifti_name(path: str | os.PathLike) -> bool:
    """Return whether a file is a scan or label map by its name; hidden files are not.

    Examples:
        >>> is_nifti_name("scan.nii.gz"), is_nifti_name("scan.nii.gz.md5"), is_nifti_name("._scan.nii.gz")
        (True, False, False)
    """
    name = Path(path).name
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def stem(path: str | os.PathLike) -> str:
    """Return a file's name without ``.nii.gz`` or ``.nii``: what its case is called.

    Examples:
        >>> stem("folder/patient001_frame01.nii.gz")
        'patient001_frame01'
    """
    name = Path(path).name
    found = [suffix for suffix in SUFFIXES if name.lower().endswith(suffix)]
    return name[: -len(found[0])] if found else name


def read_header(path: str | os.PathLike) -> nib.Nifti1Image:
    """Open a NIfTI file without reading its voxels or checking its geometry (see `check_header`).

    Raises:
        InputError: If the file is missing or is not a NIfTI file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a NIfTI file at {path}, not found")
    try:
        image = nib.load(path)
    except UNREADABLE as error:
        raise InputError(
            f"{path} is not a readable NIfTI file ({first_line(error)}); re-copy or re-download it"
        ) from error
    if not isinstance(image, nib.Nifti1Image):
        raise InputError(f"{path} is not a readable NIfTI file ({type(image).__name__}); convert it to .nii.gz")
    return image


def check_header(image: nib.Nifti1Image, path: str | os.PathLike, ndims: Sequence[int] = (3,)) -> None:
    """Raise the first problem of a header.

    Args:
        image: from `read_header`.
        path: the file.
        ndims: accepted numbers of axes.

    Raises:
        InputError: See `regionwise.geometry.find_header_problems`.
    """
    problems = find_header_problems(image, Path(path), ndims)
    if problems:
        raise InputError(problems[0])


def read_image(path: str | os.PathLike) -> Volume:
    """Read a 3-D scan as float32, with the header's scaling applied.

    Raises:
        InputError: If the file is missing, damaged or not NIfTI, or `check_header` rejects its header.
    """
    image = read_header(path)
    check_header(image, path)
    return Volume(read_voxels(image, path, np.float32), np.asarray(image.affine, dtype=np.float64), Path(path))


def read_labels(path: str | os.PathLike, ndims: Sequence[int] = (2, 3)) -> Volume:
    """Read a label map as the smallest unsigned integer type that holds it (uint8 or uint16; int64 if neither does).

    Float files that hold integers are accepted: several tools write labels so.

    Args:
        path: the file.
        ndims: accepted numbers of axes.

    Raises:
        InputError: As in `read_image`, or if a value is fractional, NaN, negative or above 2^31.
    """
    image = read_header(path)
    check_header(image, path, ndims)
    array = read_voxels(image, path)
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.round(array))
        if not whole.all():
            value = array[~whole].flat[0]
            raise InputError(f"expected integer labels in {path}, found {value:g}; is it an image or a probability?")
    lowest, highest = array.min(), array.max()
    if lowest < 0 or highest >= 2**31:
        raise InputError(f"expected labels >= 0 in {path}, found {lowest if lowest < 0 else highest:g}")
    dtype = np.uint8 if highest < 256 else np.uint16 if highest < 65536 else np.int64
    return Volume(array.astype(dtype), np.asarray(image.affine, dtype=np.float64), Path(path))


def write_volume(
    path: str | os.PathLike,
    array: np.ndarray,
    affine: np.ndarray | None = None,
    like: nib.Nifti1Image | None = None,
    codes: tuple[int, int] = (1, 1),
) -> None:
    """Write an array as NIfTI-1 in millimeters, atomically; the same array gives the same bytes.

    Args:
        path: file to write.
        array: of real numbers; its type is the file's.
        affine: float (4, 4), voxel indices to world mm; None takes the geometry of ``like``.
        like: an opened scan whose affine, form codes and units the file gets, bit for bit.
        codes: of sform and qform, with ``affine``.

    Raises:
        InputError: If neither or both of ``affine`` and ``like`` are given.
    """
    if (affine is None) == (like is None):
        raise InputError("write_volume needs either affine or like")
    if like is None:
        image = nib.Nifti1Image(array, affine)
        image.set_sform(affine, code=codes[0])
        image.set_qform(affine, code=codes[1])
        image.header.set_xyzt_units("mm")
    else:
        # Without an affine nibabel leaves the header's own geometry and codes as they are.
        image = nib.Nifti1Image(array, None, _geometry_of(like, array))
    with atomic_path(path) as temporary:
        nib.save(image, temporary)


def _geometry_of(like: nib.Nifti1Image, array: np.ndarray) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape)
    fields = ["pixdim", "xyzt_units", "sform_code", "qform_code", "srow_x", "srow_y", "srow_z"]
    fields += [f"quatern_{axis}" for axis in "bcd"] + [f"qoffset_{axis}" for axis in "xyz"]
    for field in fields:
        header[field] = like.header[field]
    return header
