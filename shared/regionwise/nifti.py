"""Reading and writing NIfTI scans and label maps, with errors that name the file."""

import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from .errors import InputError
from .files import atomic_path

# What nibabel raises for a file that is no NIfTI, whose header makes no sense, or that ends too early.
UNREADABLE = (
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    OSError,
    EOFError,
    OverflowError,
    ValueError,
    zlib.error,
)


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
    def spacing_mm(self) -> tuple[float, ...]:
        """Return the voxel size along each array axis, in mm, from the affine."""
        return tuple(float(size) for size in nib.affines.voxel_sizes(self.affine)[: self.array.ndim])


def read_header(path: str | os.PathLike) -> nib.Nifti1Image:
    """Open a NIfTI file without reading its voxels.

    Raises:
        InputError: the file is missing or is not a NIfTI file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a NIfTI file at {path}, found none")
    try:
        return nib.load(path)
    except UNREADABLE as error:
        raise InputError(f"{path} is not a readable NIfTI file ({_first_line(error)}); copy it again") from error


def read_image(path: str | os.PathLike) -> Volume:
    """Read a scan as float32, with the header's scaling applied.

    Raises:
        InputError: the file is missing, is no NIfTI file, or is truncated.
    """
    image = read_header(path)
    array = _voxels(image, path, np.float32)
    return Volume(array, np.asarray(image.affine, dtype=np.float64), Path(path))


def read_labels(path: str | os.PathLike) -> Volume:
    """Read a label map as the smallest unsigned integer type that holds it (uint8 or uint16; int64 if neither does).

    Float files that hold integers are accepted: several tools write labels so.

    Raises:
        InputError: as in `read_image`, or a value is fractional, NaN or negative.
    """
    image = read_header(path)
    array = _voxels(image, path)
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.round(array))
        if not whole.all():
            value = array[~whole].flat[0]
            raise InputError(f"expected integer labels in {path}, found {value:g}; is it an image or a probability?")
    elif array.dtype.kind not in "iub":
        raise InputError(f"expected integer labels in {path}, found voxels of type {array.dtype}")
    lowest, highest = (array.min(), array.max()) if array.size else (0, 0)
    if lowest < 0:
        raise InputError(f"expected labels >= 0 in {path}, found {lowest:g}")
    dtype = np.uint8 if highest < 256 else np.uint16 if highest < 65536 else np.int64
    return Volume(array.astype(dtype), np.asarray(image.affine, dtype=np.float64), Path(path))


def write_volume(path: str | os.PathLike, array: np.ndarray, affine: np.ndarray) -> None:
    """Write an array as NIfTI-1 atomically (sform and qform both set, code 1, millimetres)."""
    image = nib.Nifti1Image(array, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    with atomic_path(path) as temporary:
        nib.save(image, temporary)


def _voxels(image: nib.Nifti1Image, path: str | os.PathLike, dtype: type | None = None) -> np.ndarray:
    try:
        if Path(path).suffix == ".gz":
            # nibabel stops before the checksum at the end of the stream and would not see a damaged file.
            image = type(image).from_bytes(gzip.decompress(Path(path).read_bytes()))
        return np.asarray(image.dataobj, dtype=dtype)
    except UNREADABLE as error:
        raise InputError(f"{path} is damaged or truncated ({_first_line(error)}); copy it again") from error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
