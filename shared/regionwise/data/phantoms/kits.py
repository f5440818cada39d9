"""A phantom in KiTS19's layout: abdominal CT with two kidneys, and tumours in some cases."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from .rendering import grid_mm, save, smooth_noise

DEFAULT_SIZE = 128
KIDNEY, TUMOUR = 1, 2
AIR, FAT, SOFT, MUSCLE = -1000, -105, 35, 58
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
    save(case / "imaging.nii.gz", image.astype(np.int16), affine, *codes)
    save(case / "segmentation.nii.gz", label.astype(dtype), affine, *codes)


def _draw_stack(rng, size, wide) -> tuple[tuple[float, ...], tuple[int, ...], tuple[float, float]]:
    """Return voxel size and shape (slice, row, column) and the body's half-width and half-depth."""
    columns = round(size * 796 / 512) if wide else size
    body_mm = rng.uniform(145, 180), rng.uniform(100, 130)
    pixel_mm = 2 * body_mm[0] * rng.uniform(1.04, 1.25) / columns
    thickness_mm = float(rng.choice((3.0, 4.0, 5.0)))
    slices = int(rng.uniform(140, 165) / thickness_mm)
    return (thickness_mm, pixel_mm, pixel_mm), (slices, size, columns), body_mm


def _abdomen(rng, axes: Axes, shape, phase, body_mm) -> np.ndarray:
    """Return the HU of everything but the kidneys."""
    z, y, x = axes
    image = np.full(shape, float(AIR))
    wide, deep = body_mm
    skin, fat, wall = np.hypot(x / wide, y / deep), rng.uniform(0.82, 0.92), 0.075
    image[np.broadcast_to((skin > 1) & (np.abs(y - 1.05 * deep - x**2 / 900) < 4), shape)] = -600
    image[np.broadcast_to(skin < 1, shape)] = FAT
    image[np.broadcast_to(skin < fat, shape)] = MUSCLE
    ribs = np.broadcast_to(
        (np.abs(skin - fat + wall / 2) < 0.025) & (np.sin(11 * np.arctan2(y, x) + z / 14) > 0.55), shape
    )
    image[ribs & (z < 20)] = 400
    inner = np.broadcast_to(skin < fat - wall, shape)
    image[inner] = FAT + 10 * smooth_noise(rng, shape, 2)[inner]
    texture = 6 * smooth_noise(rng, shape, 1.5)
    scale = deep / 115

    def paint(hu, centre, semi, within=inner):
        image[within & _ellipsoid(axes, centre, np.array(semi) * scale)] = hu

    for _ in range(rng.integers(14, 22)):
        centre = (rng.uniform(-80, 80), rng.uniform(-70, 5) * scale, rng.uniform(-90, 90) * scale)
        semi = rng.uniform(11, 22, 3)
        paint(SOFT + 15, centre, semi)
        paint(rng.choice((-850, 15, 40, 190)), centre, semi * 0.78)
    blood = 240 - 100 * phase + rng.uniform(-25, 25)
    liver, spleen = rng.uniform(80, 125), rng.uniform(100, 150)
    top = rng.uniform(-75, -50)
    paint(liver, (top, -12 * scale, -68 * scale), (85, 78, 68))
    paint(spleen, (top - 5, 28 * scale, 98 * scale), (48, 38, 26))
    paint(rng.uniform(5, 20), (top + 60, -35 * scale, -45 * scale), (25, 16, 14))
    everywhere = np.broadcast_to(skin < fat, shape)
    for side in (-1, 1):
        paint(MUSCLE, (60, 48 * scale, side * 38 * scale), (110, 18, 17), everywhere)
        paint(MUSCLE, (0, 84 * scale, side * 36 * scale), (1e4, 20, 32), everywhere)
    paint(150 + 40 * rng.random(), (0, 52 * scale, 0), (1e4, 20, 23), everywhere)
    discs = everywhere & (np.sin(z / 5.5) > 0.75)
    paint(95, (0, 52 * scale, 0), (1e4, 20, 23), discs)
    paint(330, (0, 80 * scale, 0), (1e4, 12, 17), everywhere)
    paint(25, (0, 78 * scale, 0), (1e4, 7, 8), everywhere)
    paint(blood, (0, 24 * scale, 7), (1e4, 10, 10))
    paint(0.8 * blood, (0, 24 * scale, -20), (1e4, 10, 12))
    return image + np.where(inner, texture, 0)


def _kidney(rng, axes: Axes, side, spacing_mm, image, label, kidney_hu) -> tuple[np.ndarray, np.ndarray]:
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


def _tumour(rng, axes: Axes, kidney, spacing_mm, image, label) -> None:
    """Draw a tumour that grows out of a kidney; it replaces the kidney where they meet."""
    centre, semi = kidney
    direction = rng.normal(size=3) * (0.8, 1, 1)
    direction /= np.linalg.norm(direction)
    # Away from the spine: the aorta is no place for it.
    direction[2] = abs(direction[2]) * np.sign(centre[2])
    middle = centre + direction * semi * rng.uniform(0.55, 0.95)
    radius_mm = rng.uniform(12, 35)
    z, y, x = (axis - c for axis, c in zip(axes, middle, strict=True))
    noise = smooth_noise(rng, image.shape, tuple(7 / step for step in spacing_mm))
    distance = np.sqrt(z**2 + y**2 + x**2) / (radius_mm * (1 + 0.12 * noise))
    tumour = (distance < 1) & (image > -400)
    solid = rng.uniform(45, 115)
    patches = smooth_noise(rng, image.shape, tuple(5 / step for step in spacing_mm))
    image[tumour] = (solid + 14 * patches)[tumour]
    image[tumour & (distance < 0.6) & (patches > 0.2)] = rng.uniform(15, 45)
    label[tumour] = TUMOUR


def _ellipsoid(axes: Axes, centre, semi) -> np.ndarray:
    return sum(((axis - c) / s) ** 2 for axis, c, s in zip(axes, centre, semi, strict=True)) < 1
