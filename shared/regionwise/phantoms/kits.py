"""A phantom in KiTS19's layout: abdominal CT with two kidneys, and tumors in most cases."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..nifti import write_volume
from .abdomen import FAT, Axes, box_around, inside, paint_abdomen
from .rendering import grid_mm, smooth_noise

KIDNEY, TUMOR = 1, 2


@dataclass(frozen=True)
class Preset:
    """Ranges that the subjects of a phantom are drawn from.

    Attributes:
        size: rows and columns.
        height_mm: field of view along the slices.
        thickness_mm: distances between slices to choose from.
        kidney: size of the kidneys, relative to 92-120 mm x 48-62 mm x 44-56 mm.
        tumor_mm: radii of the tumors, drawn evenly on a logarithmic scale.
        healthy: one in so many cases has no tumor.
        single: one in so many cases has a single kidney.
    """

    size: int
    height_mm: tuple[float, float]
    thickness_mm: tuple[float, ...]
    kidney: tuple[float, float]
    tumor_mm: tuple[float, float]
    healthy: int
    single: int


PRESETS = {
    # Grid, field of view and the share of each structure as in KiTS19, where half of the slices hold no label.
    "full": Preset(512, (190, 280), (2.0, 3.0, 4.0, 5.0, 5.0), (0.95, 1.27), (6, 40), healthy=10, single=20),
    # A stack around the kidneys, and no tumor too small for a coarse grid.
    "small": Preset(128, (140, 165), (3.0, 4.0, 5.0), (1.0, 1.0), (12, 32), healthy=5, single=7),
}


def write_subject(folder: Path, number: int, rng: np.random.Generator, size: int | None, preset: str) -> None:
    """Write one case folder, in KiTS19's axis order (slice downwards, row backwards, column to the left).

    As in KiTS19, some labels are uint16 with the qform alone set, and some images are wider than high.

    Args:
        folder: the dataset's folder.
        number: of the subject, from 1; its case number is one less.
        rng: the source of randomness.
        size: rows and columns; the field of view stays (wide images have more columns).
        preset: name in `PRESETS`.
    """
    choice = PRESETS[preset]
    spacing_mm, shape, body_mm = draw_stack(rng, choice, size or choice.size, wide=number % 9 == 5)
    offsets_mm = rng.uniform(-8, 8), rng.uniform(-15, 15), rng.uniform(-12, 12)
    z, y, x = (axis + offset for axis, offset in zip(grid_mm(shape, spacing_mm), offsets_mm, strict=True))
    axes = z, y, x
    # The contrast agent: 0 is early (cortex and arteries bright), 1 late (even kidneys).
    phase = rng.uniform(0, 1)
    image, label = paint_abdomen(rng, axes, shape, phase, body_mm), np.zeros(shape, np.uint8)
    cortex = 215 - 60 * phase + rng.uniform(-35, 35)
    kidney_hu = cortex, cortex - 110 + 115 * phase, 15 + 250 * max(phase - 0.7, 0)
    scale = rng.uniform(*choice.kidney)
    lost = rng.choice((-1, 1)) if number % choice.single == 5 else None
    sides = [side for side in (-1, 1) if side != lost]
    kidneys = [_paint_kidney(rng, axes, side, spacing_mm, image, label, kidney_hu, scale) for side in sides]
    if number % choice.healthy != 8 % choice.healthy:
        radius_mm = np.exp(rng.uniform(*np.log(choice.tumor_mm)))
        _paint_tumor(rng, axes, kidneys[rng.integers(len(kidneys))], radius_mm, spacing_mm, image, label)
    noise_hu = rng.uniform(9, 20) * smooth_noise(rng, shape, (0.1, 0.6, 0.6))
    image = np.clip(np.round(ndimage.gaussian_filter(image, (0.3, 0.6, 0.6)) + noise_hu), -1024, 3071)
    affine = np.zeros((4, 4))
    affine[[2, 1, 0, 3], [0, 1, 2, 3]] = (*(-step for step in spacing_mm), 1)
    case = folder / f"case_{number - 1:05d}"
    dtype, codes = (np.uint16, (0, 1)) if number % 9 == 6 else (np.uint8, (2, 0))
    write_volume(case / "imaging.nii.gz", image.astype(np.int16), affine, codes=codes)
    write_volume(case / "segmentation.nii.gz", label.astype(dtype), affine, codes=codes)


def draw_stack(
    rng: np.random.Generator, preset: Preset, size: int, wide: bool
) -> tuple[tuple[float, ...], tuple[int, ...], tuple[float, float]]:
    """Draw the grid of a stack of slices and the size of the body in it.

    Args:
        rng: the source of randomness.
        preset: the ranges to draw from.
        size: rows, and columns unless ``wide``.
        wide: whether there are more columns than rows, as in one case of KiTS19.

    Returns:
        voxel size in mm and shape, both (slice, row, column); half-width and half-depth of the body in mm.
    """
    columns = round(size * 796 / 512) if wide else size
    body_mm = rng.uniform(145, 180), rng.uniform(100, 130)
    pixel_mm = 2 * body_mm[0] * rng.uniform(1.04, 1.25) / columns
    thickness_mm = float(rng.choice(preset.thickness_mm))
    slices = int(rng.uniform(*preset.height_mm) / thickness_mm)
    return (thickness_mm, pixel_mm, pixel_mm), (slices, size, columns), body_mm


def _paint_kidney(
    rng: np.random.Generator,
    axes: Axes,
    side: int,
    spacing_mm: tuple[float, ...],
    image: np.ndarray,
    label: np.ndarray,
    kidney_hu: tuple[float, float, float],
    scale: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Paint one kidney into ``image`` and ``label``; return its center and half-axes in mm."""
    center = np.array((rng.uniform(-15, 15) + 6 * (side < 0), rng.uniform(22, 40), side * rng.uniform(58, 74)))
    semi = scale * np.array((rng.uniform(46, 60), rng.uniform(24, 31), rng.uniform(22, 28)))
    box = box_around(axes, center, (1.5 * semi[0], 2 * semi[1], 2.4 * semi[2]))
    image, label = image[box], label[box]
    z, y, x = (axis - c for axis, c in zip(inside(axes, box), center, strict=True))
    # The upper pole lies nearer to the spine, and the hilum looks to it and forwards.
    x = x - side * 0.22 * z
    turn = side * rng.uniform(0.3, 0.7)
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    noise = smooth_noise(rng, image.shape, tuple(9 / step for step in spacing_mm))
    radius = np.sqrt((z / semi[0]) ** 2 + (y / semi[1]) ** 2 + (x / semi[2]) ** 2) * (1 + 0.05 * noise)
    hilum = ((z / (0.5 * semi[0])) ** 2 + (y / (0.42 * semi[1])) ** 2 + ((side * x / semi[2] + 0.62) / 0.72) ** 2) < 1
    kidney = (radius < 1) & ~hilum
    cortex, medulla, pelvis = kidney_hu
    image[radius < 1.22] = FAT
    pyramids = (radius < 0.82) & (smooth_noise(rng, image.shape, tuple(5 / step for step in spacing_mm)) > -0.2)
    image[kidney] = cortex
    image[kidney & pyramids] = medulla
    image[(radius < 1) & hilum & (np.hypot(y / semi[1], z / semi[0]) < 0.2)] = pelvis
    label[kidney] = KIDNEY
    return center, semi


def _paint_tumor(
    rng: np.random.Generator,
    axes: Axes,
    kidney: tuple[np.ndarray, np.ndarray],
    radius_mm: float,
    spacing_mm: tuple[float, ...],
    image: np.ndarray,
    label: np.ndarray,
) -> None:
    """Paint a tumor that grows out of a kidney; it replaces the kidney where they meet."""
    center, semi = kidney
    direction = rng.normal(size=3) * (0.8, 1, 1)
    direction /= np.linalg.norm(direction)
    # Away from the spine: the aorta is no place for it.
    direction[2] = abs(direction[2]) * np.sign(center[2])
    middle = center + direction * semi * rng.uniform(0.5, 0.85)
    box = box_around(axes, middle, 3 * (1.8 * radius_mm,))
    image, label = image[box], label[box]
    z, y, x = (axis - c for axis, c in zip(inside(axes, box), middle, strict=True))
    noise = smooth_noise(rng, image.shape, tuple(7 / step for step in spacing_mm))
    distance = np.sqrt(z**2 + y**2 + x**2) / (radius_mm * (1 + 0.12 * noise))
    # It pushes its neighbors away: perirenal fat keeps it apart from the liver and the bowel.
    image[(distance < 1.15) & (label == 0) & (image > FAT)] = FAT
    tumor = (distance < 1) & (image > -400)
    solid = rng.uniform(45, 115)
    patches = smooth_noise(rng, image.shape, tuple(5 / step for step in spacing_mm))
    image[tumor] = (solid + 14 * patches)[tumor]
    image[tumor & (distance < 0.6) & (patches > 0.2)] = rng.uniform(15, 45)
    label[tumor] = TUMOR
