"""A phantom in KiTS19's layout: abdominal CT with two kidneys, and tumours in some cases."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..nifti import write_volume
from .rendering import grid_mm, smooth_noise

DEFAULT_SIZE = 128
KIDNEY, TUMOUR = 1, 2
AIR, FAT, SOFT, MUSCLE = -1000, -105, 35, 58
ENDLESS = 1e4
Axes = tuple[np.ndarray, np.ndarray, np.ndarray]


def write_subject(folder: Path, number: int, rng: np.random.Generator, size: int | None) -> None:
    """Write one case folder, in KiTS19's axis order (slice downwards, row backwards, column to the left).

    Every fifth case has no tumour and every seventh only one kidney. As in KiTS19, some labels are uint16 with the
    qform alone set, and some images are wider than high.

    Args:
        folder: the dataset's folder.
        number: of the subject, from 1; its case number is one less.
        rng: the source of randomness.
        size: rows and columns; the field of view stays, so 512 gives the usual matrix (wide images have more columns).
    """
    spacing_mm, shape, body_mm = _draw_stack(rng, size or DEFAULT_SIZE, wide=number % 9 == 5)
    offsets_mm = rng.uniform(-8, 8), rng.uniform(-15, 15), rng.uniform(-12, 12)
    axes = tuple(axis + offset for axis, offset in zip(grid_mm(shape, spacing_mm), offsets_mm, strict=True))
    # The contrast agent: 0 is early (cortex and arteries bright), 1 late (even kidneys).
    phase = rng.uniform(0, 1)
    image, label = _abdomen(rng, axes, shape, phase, body_mm), np.zeros(shape, np.uint8)
    cortex = 215 - 60 * phase + rng.uniform(-35, 35)
    kidney_hu = cortex, cortex - 110 + 115 * phase, 15 + 250 * max(phase - 0.7, 0)
    lost = rng.choice((-1, 1)) if number % 7 == 5 else None
    sides = [side for side in (-1, 1) if side != lost]
    kidneys = [_kidney(rng, axes, side, spacing_mm, image, label, kidney_hu) for side in sides]
    if number % 5 != 3:
        _tumour(rng, axes, kidneys[rng.integers(len(kidneys))], spacing_mm, image, label)
    noise_hu = rng.uniform(9, 20) * smooth_noise(rng, shape, (0.1, 0.6, 0.6))
    image = np.clip(np.round(ndimage.gaussian_filter(image, (0.3, 0.6, 0.6)) + noise_hu), -1024, 3071)
    affine = np.zeros((4, 4))
    affine[[2, 1, 0, 3], [0, 1, 2, 3]] = (*(-step for step in spacing_mm), 1)
    case = folder / f"case_{number - 1:05d}"
    dtype, codes = (np.uint16, (0, 1)) if number % 9 == 6 else (np.uint8, (2, 0))
    write_volume(case / "imaging.nii.gz", image.astype(np.int16), affine, codes=codes)
    write_volume(case / "segmentation.nii.gz", label.astype(dtype), affine, codes=codes)


def _draw_stack(
    rng: np.random.Generator, size: int, wide: bool
) -> tuple[tuple[float, ...], tuple[int, ...], tuple[float, float]]:
    """Return voxel size and shape (slice, row, column) and the body's half-width and half-depth."""
    columns = round(size * 796 / 512) if wide else size
    body_mm = rng.uniform(145, 180), rng.uniform(100, 130)
    pixel_mm = 2 * body_mm[0] * rng.uniform(1.04, 1.25) / columns
    thickness_mm = float(rng.choice((3.0, 4.0, 5.0)))
    slices = int(rng.uniform(140, 165) / thickness_mm)
    return (thickness_mm, pixel_mm, pixel_mm), (slices, size, columns), body_mm


def _abdomen(
    rng: np.random.Generator, axes: Axes, shape: tuple[int, ...], phase: float, body_mm: tuple[float, float]
) -> np.ndarray:
    """Return the HU of everything but the kidneys."""
    z, y, x = axes
    image = np.full(shape, float(AIR))
    wide, deep = body_mm
    skin, fat, wall = np.hypot(x / wide, y / deep), rng.uniform(0.82, 0.92), 0.075
    table = (skin > 1) & (np.abs(y - 1.05 * deep - x**2 / 900) < 4)
    ribs = (np.abs(skin - fat + wall / 2) < 0.025) & (np.sin(11 * np.arctan2(y, x) + z / 14) > 0.55) & (z < 20)
    for where, hu in ((table, -600), (skin < 1, FAT), (skin < fat, MUSCLE), (ribs, 400)):
        image[np.broadcast_to(where, shape)] = hu
    cavity = np.broadcast_to(skin < fat - wall, shape)
    image[cavity] = FAT + 10 * smooth_noise(rng, shape, 2)[cavity]
    texture = 6 * smooth_noise(rng, shape, 1.5)
    within = np.broadcast_to(skin < fat, shape)
    _paint_organs(rng, image, tuple(axis * 115 / deep for axis in axes), cavity, within, phase)
    return image + np.where(cavity, texture, 0)


def _paint_organs(
    rng: np.random.Generator, image: np.ndarray, axes: Axes, cavity: np.ndarray, within: np.ndarray, phase: float
) -> None:
    """Draw bowel, liver, spleen, gallbladder, muscles, spine and great vessels; axes in mm of a body of normal size."""

    def paint(hu: float, centre: tuple[float, ...], semi: tuple[float, ...], where: np.ndarray = within) -> None:
        image[where & _ellipsoid(axes, centre, semi)] = hu

    for _ in range(rng.integers(14, 22)):
        centre = rng.uniform(-80, 80), rng.uniform(-70, 5), rng.uniform(-90, 90)
        semi = rng.uniform(11, 22, 3)
        paint(SOFT + 15, centre, semi, cavity)
        paint(rng.choice((-850, 15, 40, 190)), centre, semi * 0.78, cavity)
    blood = 240 - 100 * phase + rng.uniform(-25, 25)
    liver, spleen = rng.uniform(80, 125), rng.uniform(100, 150)
    top = rng.uniform(-75, -50)
    paint(liver, (top, -12, -68), (85, 78, 68), cavity)
    paint(spleen, (top - 5, 28, 98), (48, 38, 26), cavity)
    paint(rng.uniform(5, 20), (top + 60, -35, -45), (25, 16, 14), cavity)
    for side in (-1, 1):
        paint(MUSCLE, (60, 48, side * 38), (110, 18, 17))
        paint(MUSCLE, (0, 84, side * 36), (ENDLESS, 20, 32))
    paint(150 + 40 * rng.random(), (0, 52, 0), (ENDLESS, 20, 23))
    discs = within & (np.sin(axes[0] / 5.5) > 0.75)
    paint(95, (0, 52, 0), (ENDLESS, 20, 23), discs)
    paint(330, (0, 80, 0), (ENDLESS, 12, 17))
    paint(25, (0, 78, 0), (ENDLESS, 7, 8))
    paint(blood, (0, 24, 7), (ENDLESS, 10, 10), cavity)
    paint(0.8 * blood, (0, 24, -20), (ENDLESS, 10, 12), cavity)


def _kidney(
    rng: np.random.Generator,
    axes: Axes,
    side: int,
    spacing_mm: tuple[float, ...],
    image: np.ndarray,
    label: np.ndarray,
    kidney_hu: tuple[float, float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one kidney into ``image`` and ``label``; return its centre and half-axes in mm."""
    centre = np.array((rng.uniform(-15, 15) + 6 * (side < 0), rng.uniform(22, 40), side * rng.uniform(58, 74)))
    semi = np.array((rng.uniform(46, 60), rng.uniform(24, 31), rng.uniform(22, 28)))
    z, y, x = (axis - c for axis, c in zip(axes, centre, strict=True))
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
    return centre, semi


def _tumour(
    rng: np.random.Generator,
    axes: Axes,
    kidney: tuple[np.ndarray, np.ndarray],
    spacing_mm: tuple[float, ...],
    image: np.ndarray,
    label: np.ndarray,
) -> None:
    """Draw a tumour that grows out of a kidney; it replaces the kidney where they meet."""
    centre, semi = kidney
    direction = rng.normal(size=3) * (0.8, 1, 1)
    direction /= np.linalg.norm(direction)
    # Away from the spine: the aorta is no place for it.
    direction[2] = abs(direction[2]) * np.sign(centre[2])
    middle = centre + direction * semi * rng.uniform(0.5, 0.85)
    radius_mm = rng.uniform(12, 32)
    z, y, x = (axis - c for axis, c in zip(axes, middle, strict=True))
    noise = smooth_noise(rng, image.shape, tuple(7 / step for step in spacing_mm))
    distance = np.sqrt(z**2 + y**2 + x**2) / (radius_mm * (1 + 0.12 * noise))
    # It pushes its neighbours away: perirenal fat keeps it apart from the liver and the bowel.
    image[(distance < 1.15) & (label == 0) & (image > FAT)] = FAT
    tumour = (distance < 1) & (image > -400)
    solid = rng.uniform(45, 115)
    patches = smooth_noise(rng, image.shape, tuple(5 / step for step in spacing_mm))
    image[tumour] = (solid + 14 * patches)[tumour]
    image[tumour & (distance < 0.6) & (patches > 0.2)] = rng.uniform(15, 45)
    label[tumour] = TUMOUR


def _ellipsoid(axes: Axes, centre: Sequence[float], semi: Sequence[float]) -> np.ndarray:
    return sum(((axis - c) / s) ** 2 for axis, c, s in zip(axes, centre, semi, strict=True)) < 1
