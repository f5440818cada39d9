"""A phantom in BraTS 2018's layout: four skull-stripped MRI contrasts of a brain with a tumor of nested parts."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from ..nifti import write_volume
from .rendering import bias_field, grid_mm, rician, smooth_noise

FIELD_OF_VIEW_MM = (240.0, 240.0, 155.0)
DEFAULT_SIZE = {"full": 240, "small": 96}
NECROSIS, EDEMA, ENHANCING = 1, 2, 4
CSF, GREY, WHITE = 5, 6, 7
# Signal of each tissue before the subject's own variation.
SIGNAL = {
    "t1": {CSF: 0.25, GREY: 0.60, WHITE: 0.80, EDEMA: 0.55, NECROSIS: 0.40, ENHANCING: 0.55},
    "t1ce": {CSF: 0.25, GREY: 0.62, WHITE: 0.80, EDEMA: 0.57, NECROSIS: 0.40, ENHANCING: 1.25},
    "t2": {CSF: 1.20, GREY: 0.68, WHITE: 0.50, EDEMA: 0.88, NECROSIS: 1.02, ENHANCING: 0.78},
    "flair": {CSF: 0.18, GREY: 0.66, WHITE: 0.52, EDEMA: 0.82, NECROSIS: 0.62, ENHANCING: 0.80},
}


def write_subject(folder: Path, number: int, rng: np.random.Generator, size: int | None, preset: str) -> None:
    """Write one case folder under ``HGG``.

    ``full``: 1 in 20 tumors does not enhance and 1 in 20 has no necrosis. ``small``: 1 in 5 and 1 in 7, so that a few
    subjects hold each kind.

    Args:
        folder: the dataset's folder.
        number: of the subject, from 1.
        rng: the source of randomness.
        size: in-plane voxels; the field of view stays, so 240 gives the published matrix of 240 x 240 x 155 at 1 mm.
        preset: ``full`` or ``small``.
    """
    spacing_mm = FIELD_OF_VIEW_MM[0] / (size or DEFAULT_SIZE[preset])
    shape = tuple(round(extent / spacing_mm) for extent in FIELD_OF_VIEW_MM)
    x, y, z = grid_mm(shape, 3 * (spacing_mm,))
    x, y, z = x + rng.uniform(-6, 6), y + rng.uniform(-6, 6), z + rng.uniform(-4, 4)
    turn = np.deg2rad(rng.uniform(-12, 12))
    x, y = x * np.cos(turn) - y * np.sin(turn), y * np.cos(turn) + x * np.sin(turn)
    tissue, depth_mm = _brain(rng, x, y, z, spacing_mm)
    # Nothing shows outside the brain, which fills a quarter of the volume: work on its box alone.
    (box,) = ndimage.find_objects((tissue > 0).astype(np.uint8))
    x, y, z = (np.broadcast_to(axis, shape)[box] for axis in (x, y, z))
    tissue, depth_mm = tissue[box], depth_mm[box]
    rare = {"full": (20, 20), "small": (5, 7)}[preset]
    enhances, solid = number % rare[0] != 13 % rare[0], number % rare[1] == 5
    label = _tumor(rng, (x, y, z), tissue, depth_mm, spacing_mm, enhances, solid)
    name = f"Brats18_PHANTOM_{number:03d}_1"
    # BraTS arrays run to the left, to the back and up.
    affine = np.diag((-spacing_mm, -spacing_mm, spacing_mm, 1.0))
    affine[1, 3] = spacing_mm * (shape[1] - 1)
    lesions, vessels = _distractors(rng, x, tissue, depth_mm, spacing_mm)
    parts = np.where(label > 0, label, tissue)
    images = {
        modality: np.where(tissue > 0, _image(rng, modality, signal, parts, lesions & (label == 0), vessels), 0)
        for modality, signal in SIGNAL.items()
    }
    for kind, content in {**images, "seg": label}.items():
        volume = np.zeros(shape, content.dtype)
        volume[box] = content
        write_volume(folder / "HGG" / name / f"{name}_{kind}.nii.gz", volume, affine)


def _brain(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, z: np.ndarray, spacing_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return tissue classes (0 outside) and the depth below the brain's surface in mm."""
    semi = np.array((66.0, 84.0, 62.0)) * rng.uniform(0.92, 1.06, 3)
    shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
    radius = ((np.abs(x) / semi[0]) ** 2.4 + (np.abs(y) / semi[1]) ** 2.2 + (np.abs(z) / semi[2]) ** 2.2) ** (1 / 2.2)
    depth_mm = (1 - radius) * semi[2] + 1.5 * smooth_noise(rng, shape, 10 / spacing_mm)
    fold = smooth_noise(rng, shape, 4.5 / spacing_mm)
    tissue = np.full(shape, WHITE, np.uint8)
    tissue[(depth_mm < 5) | ((np.abs(fold) < 0.42) & (depth_mm < 19))] = GREY
    tissue[(np.abs(fold) < 0.13) & (depth_mm < 15) | (depth_mm < 1.2)] = CSF
    tissue[(np.abs(x + 1.5 * fold) < 1.6) & (depth_mm < 28)] = CSF
    width = rng.uniform(4.5, 8)
    for side in (-1, 1):
        nuclei = ((x - side * 23) / 9) ** 2 + ((y + 4) / 20) ** 2 + ((z + 2) / 12) ** 2 < 1
        tissue[nuclei] = GREY
        bend = 8 + 0.006 * (y - 5) ** 2
        tissue[((x - side * bend) / width) ** 2 + ((y - 4) / 38) ** 2 + ((z - 8) / 9) ** 2 < 1] = CSF
    tissue[(depth_mm < 0) | (z < -52)] = 0
    return tissue, depth_mm


def _tumor(
    rng: np.random.Generator,
    axes: tuple[np.ndarray, ...],
    tissue: np.ndarray,
    depth_mm: np.ndarray,
    spacing_mm: float,
    enhances: bool,
    solid: bool,
) -> np.ndarray:
    """Return BraTS labels: edema around an enhancing rim around necrosis."""
    candidates = np.argwhere((depth_mm > 14) & (tissue == WHITE) & (np.abs(axes[0]) > 14))
    center = tuple(candidates[rng.integers(len(candidates))])
    offsets = [np.broadcast_to(axis, tissue.shape) - np.broadcast_to(axis, tissue.shape)[center] for axis in axes]
    core_mm = rng.uniform(13, 25.5)
    shape = [rng.uniform(0.75, 1.3) for _ in axes]
    distance = np.sqrt(sum((offset / s) ** 2 for offset, s in zip(offsets, shape, strict=True)))

    def irregular(strength: float, scale_mm: float) -> np.ndarray:
        return np.exp(strength * smooth_noise(rng, tissue.shape, scale_mm / spacing_mm))

    core = distance / core_mm * irregular(0.18, 6)
    spread = distance / (core_mm * rng.uniform(1.25, 1.8)) * irregular(0.2, 9)
    # Edema follows the white matter and does not enter the ventricles.
    spread = np.where(tissue == GREY, 1.25 * spread, spread)
    label = np.zeros(tissue.shape, np.uint8)
    label[(spread < 1) & (tissue != CSF)] = EDEMA
    holes = smooth_noise(rng, tissue.shape, 4 / spacing_mm)
    rim = rng.uniform(0.6, 0.8)
    label[core < 1] = ENHANCING if enhances else NECROSIS
    if not solid:
        label[(core < rim + 0.12 * holes) | ((core < 1) & (holes > 1.3))] = NECROSIS
    label[tissue == 0] = 0
    return label


def _distractors(
    rng: np.random.Generator, x: np.ndarray, tissue: np.ndarray, depth_mm: np.ndarray, spacing_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return what looks like tumor and is not: old white-matter lesions, and what takes up contrast in any brain."""
    spots = smooth_noise(rng, tissue.shape, 3.5 / spacing_mm)
    lesions = (spots > rng.uniform(2.0, 2.8)) & (tissue == WHITE) & (depth_mm > 12)
    sinus = (np.abs(x) < 4) & (depth_mm < 6)
    plexus = (tissue == CSF) & (depth_mm > 25) & (spots > 0.9)
    surface = (tissue == CSF) & (depth_mm < 15) & (spots > 1.1)
    return lesions, sinus | plexus | surface


def _image(
    rng: np.random.Generator,
    modality: str,
    signal: dict[int, float],
    tissue: np.ndarray,
    lesions: np.ndarray,
    vessels: np.ndarray,
) -> np.ndarray:
    """Return one contrast as int16; every tissue's signal differs a little between subjects."""
    look = np.zeros(8)
    for index, value in signal.items():
        look[index] = value * rng.uniform(0.85, 1.15)
    image = look[tissue] * (1 + 0.05 * smooth_noise(rng, tissue.shape, 1.2))
    # Edema fades: where there is less water its signal is close to that of gray matter.
    image = np.where(tissue == EDEMA, image * (1 + 0.14 * smooth_noise(rng, tissue.shape, 2.5)), image)
    if modality in ("t2", "flair"):
        image[lesions] = look[EDEMA] * rng.uniform(0.85, 1)
    if modality == "t1ce":
        image[vessels] = look[ENHANCING] * rng.uniform(0.8, 1.1)
    image = ndimage.gaussian_filter(image, 0.55) * bias_field(rng, tissue.shape, rng.uniform(0.15, 0.35))
    return np.round(rician(rng, image, 0.035) * rng.uniform(250, 1500)).astype(np.int16)
