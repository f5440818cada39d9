"""Reading and writing NIfTI scans and label maps, with errors that name the file."""

import os
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy

from .errors import InputError
from .files import atomic_path
from .geometry import Grid, find_header_problems

SUFFIXES = (".nii.gz", ".nii")
"""Names of the files that are scans or label maps end so, in any case of letters."""

# What nibabel raises for a file that is no NIfTI, whose header makes no sense, or that ends too early.
UNREADABLE = (
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
    OSError,
    EOFError,
    OverflowError,
    ValueError,
    zlib.error,
)
_LARGEST_RATIO = 1032  # of deflate: a byte of a .gz file unpacks to at most so many
_CHUNK = 1 << 20


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
            f"{path} is not a readable NIfTI file ({_first_line(error)}); re-copy or re-download it"
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
    return Volume(_voxels(image, path, np.float32), np.asarray(image.affine, dtype=np.float64), Path(path))


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
    array = _voxels(image, path)
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


def _voxels(image: nib.Nifti1Image, path: str | os.PathLike, dtype: type | None = None) -> np.ndarray:
    _check_size(image, Path(path))
    try:
        if Path(path).suffix.lower() == ".gz":
            # nibabel stops before the checksum at the end of the stream and would not see a damaged file.
            image = type(image).from_bytes(_unzipped(Path(path), _end_of_voxels(image)))
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused by its value
            return np.asarray(image.dataobj, dtype=dtype)
    except UNREADABLE as error:
        raise InputError(f"{path} is damaged or truncated ({_first_line(error)}); re-copy or re-download it") from error
    except MemoryError as error:
        raise InputError(f"{path} needs more memory than there is, for shape {image.shape}") from error


def _check_size(image: nib.Nifti1Image, path: Path) -> None:
    """Raise where the file cannot hold the voxels its header announces, or the machine cannot, before reading them."""
    needed, size = _end_of_voxels(image), path.stat().st_size
    if needed > size * (_LARGEST_RATIO if path.suffix.lower() == ".gz" else 1):
        raise InputError(
            f"{path} is damaged or truncated (shape {image.shape} needs {needed} bytes, the file has {size}); "
            "re-copy or re-download it"
        )
    memory = _memory_bytes()
    if memory and needed > memory:
        raise InputError(f"{path} needs {needed / 2**30:.3g} GiB of memory, found {memory / 2**30:.3g}")


def _end_of_voxels(image: nib.Nifti1Image) -> int:
    # Python's integers: NumPy's overflow for dimensions such as 32767 x 32767 x 32767 x 32767.
    count = int(image.get_data_dtype().itemsize)
    for axis in image.shape:
        count *= int(axis)
    return count + int(cast(ArrayProxy, image.dataobj).offset)


def _memory_bytes() -> int | None:
    if sys.platform.startswith("win") or not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _unzipped(path: Path, needed: int) -> bytes:
    """Return the first bytes of a .gz file after checking it to its end; what lies beyond is read but not kept.

    Raises:
        EOFError: If it ends too early.
        zlib.error: the stream or its checksum is damaged.
    """
    content, parts, kept = path.read_bytes(), [], 0
    while content:  # one stream after another, as gzip allows
        stream = zlib.decompressobj(wbits=31)
        parts.append(stream.decompress(content, max(1, needed - kept)))
        kept += len(parts[-1])
        while not stream.eof and stream.unconsumed_tail:
            stream.decompress(stream.unconsumed_tail, _CHUNK)
        if not stream.eof:
            raise EOFError("the compressed stream ends too early")
        content = stream.unused_data.lstrip(b"\0")  # tapes and some tools pad with zeros
    if kept < needed:
        raise EOFError(f"expected {needed} bytes, found {kept}")
    return b"".join(parts) if len(parts) > 1 else parts[0]


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
