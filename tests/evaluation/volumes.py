"""Label maps on disk that the tests of the evaluation share."""

from pathlib import Path

import numpy as np
from regionwise.nifti import write_volume

AFFINE = np.diag([2.0, 1.0, 1.0, 1.0])


def cube(start: int, label: int = 1, shape: tuple[int, ...] = (12, 12, 12), side: int = 4) -> np.ndarray:
    """Return a label map with one cube whose corner is at (start, 2, 2)."""
    labels = np.zeros(shape, np.uint8)
    labels[(slice(start, start + side), *[slice(2, 2 + side)] * (len(shape) - 1))] = label
    return labels


def write(folder: Path, name: str, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """Write an array as NAME.nii.gz and return its path."""
    path = folder / f"{name}.nii.gz"
    write_volume(path, array, affine)
    return path


def write_pairs(root: Path, pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> tuple[Path, Path]:
    """Write predictions and references by name and return the two folders."""
    for name, (prediction, reference) in pairs.items():
        write(root / "predictions", name, prediction)
        write(root / "references", name, reference)
    return root / "predictions", root / "references"
