"""A phantom in the layout of MSD Task04: small T1 MRI crops around a hippocampus of two parts."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from ..files import write_json
from ..nifti import write_volume
from .rendering import bias_field, grid_mm, rician, smooth_noise

DEFAULT_SIZE = 50
ANTERIOR, POSTERIOR = 1, 2
LABELS = {"0": "background", "1": "Anterior", "2": "Posterior"}


def write_subject(folder: Path, number: int, rng: np.random.Generator, size: int | None, preset: str) -> None:
    """Write one image and its label. As in the real set, some images are uint8 and some float32.

    Args:
        folder: the dataset's folder.
        number: of the case, from 1.
        rng: the source of randomness.
        size: voxels from back to front; the field of view stays, so 50 gives voxels of 1 mm.
        preset: without effect, since the real crops are small themselves.
    """
    spacing_mm = DEFAULT_SIZE / (size or DEFAULT_SIZE)
    extent_mm = (rng.integers(32, 39), rng.integers(45, 56), rng.integers(30, 43))
    shape = tuple(round(extent / spacing_mm) for extent in extent_mm)
    x, y, z = grid_mm(shape, 3 * (spacing_mm,))
    image, label = _render(rng, x * rng.choice((-1, 1)), y, z, spacing_mm)
    image = rician(rng, image * bias_field(rng, shape, rng.uniform(0.1, 0.3)), 0.04)
    if rng.random() < 0.3:
        image = np.clip(np.round(image * rng.uniform(90, 140)), 0, 255).astype(np.uint8)
    else:
        image = (image * rng.uniform(400, 1200)).astype(np.float32)
    affine = np.diag((spacing_mm, spacing_mm, spacing_mm, 1.0))
    affine[:3, 3] = 1
    name = f"hippocampus_{number:03d}.nii.gz"
    write_volume(folder / "imagesTr" / name, image, affine)
    write_volume(folder / "labelsTr" / name, label, affine)


def finish(folder: Path) -> None:
    """Write ``dataset.json`` over the cases that were written."""
    names = sorted(path.name for path in (folder / "imagesTr").iterdir())
    content = {
        "name": "Hippocampus (phantom)",
        "description": "Synthetic crops in the layout of MSD Task04",
        "tensorImageSize": "3D",
        "modality": {"0": "MRI"},
        "labels": LABELS,
        "numTraining": len(names),
        "numTest": 0,
        "training": [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names],
        "test": [],
    }
    write_json(folder / "dataset.json", content)


def _render(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, z: np.ndarray, spacing_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
    csf, grey, white = rng.uniform(0.1, 0.25), rng.uniform(0.5, 0.68), rng.uniform(0.85, 1.0)
    # Gyri: bands of gray matter with a dark sulcus in their middle.
    fold = smooth_noise(rng, shape, 3.5 / spacing_mm)
    image = np.full(shape, white)
    image[np.abs(fold) < 0.55] = grey
    image[np.abs(fold) < 0.12] = csf
    image[smooth_noise(rng, shape, 5 / spacing_mm) > 1.4] = grey

    back, length = -y.max() + rng.uniform(3, 6), rng.uniform(36, 41)
    s = (y - back) / length
    bend, drop = rng.uniform(3, 7), rng.uniform(15, 21)
    center_x = rng.uniform(-3, 3) + bend * (2 * s - 1) ** 2 - bend / 2
    center_z = rng.uniform(-1, 1) + drop * (0.5 - s) + 2.5 * np.sin(2 * np.pi * s)
    # Thin at the tail, thick at the head, closed at both ends.
    taper = np.sqrt(np.clip(1 - np.abs(2 * s - 1) ** 4, 1e-6, 1))
    width = rng.uniform(0.9, 1.15) * (5.0 + 2.4 * np.clip(s, 0, 1) ** 1.5) * taper
    u, v = (x - center_x) / (1.1 * width), (z - center_z) / (0.75 * width)
    radius = np.hypot(u, v) * np.exp(0.08 * smooth_noise(rng, shape, 2.5 / spacing_mm))
    along = np.broadcast_to((s > 0) & (s < 1), shape)
    image[along & (radius < 1.3)] = white
    image[along & (radius < 2) & (radius > 1.15) & (u > 0.2) & (v > -0.6)] = csf
    # The parahippocampal gyrus below and the amygdala in front have the hippocampus' own signal.
    image[along & (np.hypot(u + 0.4, v + 2.1) < 0.85)] = 1.03 * grey
    front = back + length
    amygdala = ((x - 1) / 8) ** 2 + ((y - front + 1) / 7) ** 2 + ((z - center_z.min() - 10) / 6) ** 2 < 1
    image[amygdala & ~(along & (radius < 1.1))] = grey
    hippocampus = along & (radius < 1)
    image[hippocampus] = grey
    label = np.zeros(shape, np.uint8)
    label[hippocampus] = POSTERIOR
    label[hippocampus & (s > rng.uniform(0.5, 0.58))] = ANTERIOR
    return ndimage.gaussian_filter(image * (1 + 0.05 * smooth_noise(rng, shape, 1)), 0.55), label
