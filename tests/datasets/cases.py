"""Small cases on disk that the tests of the store and of the patches read."""

from pathlib import Path

import nibabel as nib
import numpy as np
from monai.transforms import Compose
from regionwise.data.load import LoadCased

SHAPE = (8, 10, 4)
SPACING_MM = (2.0, 1.0, 5.0)


def write_case(
    folder: Path, name: str, label: np.ndarray | None = None, suffix: str = ".nii.gz", seed: int = 0
) -> dict:
    """Write an image of noise and its label (by default a block of 1 with a block of 2 in it); return the item."""
    label = blocks() if label is None else label
    image = np.random.default_rng(seed).normal(0, 1, label.shape).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    affine = np.diag([*SPACING_MM, 1])
    paths = folder / f"{name}{suffix}", folder / f"{name}_gt{suffix}"
    nib.save(nib.Nifti1Image(image, affine), paths[0])
    nib.save(nib.Nifti1Image(label.astype(np.uint8), affine), paths[1])
    return {"case_id": name, "subject_id": name, "image": str(paths[0]), "label": str(paths[1]), "group": ""}


def blocks(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return labels: slices 1 and 2 hold a block of 1 that encloses one of 2; the other slices are empty."""
    label = np.zeros(shape, np.uint8)
    label[1:7, 2:9, 1:3] = 1
    label[3:5, 4:7, 1:3] = 2
    return label


def read_only(dataset: str = "msd") -> Compose:
    """Return the preprocessing that changes nothing."""
    return Compose([LoadCased(["image", "label"], dataset)])
