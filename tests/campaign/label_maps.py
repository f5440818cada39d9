"""Small label maps, their bytes, and what an independent reader makes of them."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (14, 12, 6)
SPACING_MM = (1.5, 1.5, 4.0)


def labels(seed: int) -> np.ndarray:
    """Return two boxes, uint8, at a place that depends on the seed."""
    array = np.zeros(SHAPE, np.uint8)
    start = seed % 3
    array[2 + start : 9 + start, 2:9, 1:5] = 1
    array[4 + start : 7 + start, 4:7, 2:4] = 2
    return array


def write_labels(path: Path, array: np.ndarray) -> Path:
    """Write a label map; its bytes depend on the array alone."""
    path.write_bytes(gzip.compress(nib.Nifti1Image(array, np.diag((*SPACING_MM, 1.0))).to_bytes(), mtime=0))
    return path


def read_independently(path: Path) -> nib.Nifti1Image:
    """Return what nibabel makes of the bytes after Python's own gzip has checked all of them.

    Raises:
        Exception: whatever either raises about a damaged file.
    """
    image = nib.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes()))
    image.get_fdata()
    return image
