"""Read the voxels of a NIfTI file whole, and notice files that are damaged, cut off or too large for the machine."""

import os
import sys
import zlib
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy

from .errors import InputError

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


def read_voxels(image: nib.Nifti1Image, path: str | os.PathLike, dtype: type | None = None) -> np.ndarray:
    """Read the voxels of an opened NIfTI file, with the header's scaling applied.

    Args:
        image: the opened file; its axes have been checked.
        path: the file.
        dtype: of the array; None for that of the file, or float64 where the header scales.

    Raises:
        InputError: If the file is damaged or truncated, or needs more memory than the machine has.
    """
    _check_size(image, Path(path))
    try:
        if Path(path).suffix.lower() == ".gz":
            # nibabel stops before the checksum at the end of the stream and would not see a damaged file.
            image = type(image).from_bytes(_unzipped(Path(path), _end_of_voxels(image)))
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused by its value
            return np.asarray(image.dataobj, dtype=dtype)
    except UNREADABLE as error:
        raise InputError(f"{path} is damaged or truncated ({first_line(error)}); re-copy or re-download it") from error
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


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its name if it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]
