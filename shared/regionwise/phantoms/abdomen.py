"""The abdomen around the kidneys in CT: body wall, bones, organs, bowel and vessels."""

from collections.abc import Callable, Sequence

import numpy as np

from .rendering import smooth_noise

AIR, FAT, SOFT, MUSCLE, LUNG = -1000, -105, 35, 58, -830
ENDLESS = 1e4
# Coordinates in mm along slice (downwards), row (backwards) and column (to the left), as a sparse grid.
Axes = tuple[np.ndarray, np.ndarray, np.ndarray]
Triple = Sequence[float] | np.ndarray


def paint_abdomen(
    rng: np.random.Generator, axes: Axes, shape: tuple[int, ...], phase: float, body_mm: tuple[float, float]
) -> np.ndarray:
    """Paint the abdomen without the kidneys.

    Args:
        rng: the source of randomness.
        axes: coordinates in mm.
        shape: of the volume.
        phase: of the contrast agent, from 0 (early: bright arteries) to 1 (late).
        body_mm: half-width and half-depth of the body.

    Returns:
        Hounsfield units, float32 of ``shape``.
    """
    z, y, x = axes
    image = np.full(shape, AIR, np.float32)
    wide, deep = body_mm
    skin, fat, wall = np.hypot(x / wide, y / deep), rng.uniform(0.82, 0.92), 0.075
    table = (skin > 1) & (np.abs(y - 1.05 * deep - x**2 / 900) < 4)
    ribs = (np.abs(skin - fat + wall / 2) < 0.025) & (np.sin(11 * np.arctan2(y, x) + z / 14) > 0.55) & (z < 20)
    for where, hu in ((table, -600), (skin < 1, FAT), (skin < fat, MUSCLE), (ribs, 400)):
        image[np.broadcast_to(where, shape)] = hu
    within, cavity = (np.broadcast_to(skin < edge, shape) for edge in (fat, fat - wall))
    image[cavity] = FAT
    _paint_organs(rng, image, (z * 115 / deep, y * 115 / deep, x * 115 / deep), cavity, within, phase)
    texture = smooth_noise(rng, shape, 3)
    texture *= np.where(cavity, 8, 0)
    return image + texture


def paint_ellipsoid(image: np.ndarray, axes: Axes, center: Triple, semi: Triple, hu: float, where: np.ndarray) -> None:
    """Set the voxels of an ellipsoid that lie in a mask to a value; center and half-axes in the unit of ``axes``."""
    box = box_around(axes, center, semi)
    ellipsoid = sum(((axis - c) / s) ** 2 for axis, c, s in zip(inside(axes, box), center, semi, strict=True)) < 1
    image[box][ellipsoid & where[box]] = hu


def box_around(axes: Axes, center: Triple, semi: Triple) -> tuple[slice, slice, slice]:
    """Return the part of a grid within ``semi`` of ``center`` along each axis."""
    first, second, third = (
        slice(*np.searchsorted(axis.ravel(), (c - s, c + s))) for axis, c, s in zip(axes, center, semi, strict=True)
    )
    return first, second, third


def inside(axes: Axes, box: tuple[slice, slice, slice]) -> Axes:
    """Return the coordinates of a part of a sparse grid."""
    return axes[0][box[0]], axes[1][:, box[1]], axes[2][:, :, box[2]]


def _paint_organs(
    rng: np.random.Generator, image: np.ndarray, axes: Axes, cavity: np.ndarray, within: np.ndarray, phase: float
) -> None:
    """Paint what lies around the kidneys, from the back to the front; axes in mm of a body of normal size."""

    def paint(hu: float, center: Triple, semi: Triple, where: np.ndarray = within) -> None:
        paint_ellipsoid(image, axes, center, semi, hu, where)

    for side in (-1, 1):
        paint(LUNG, (-150, 0, side * 70), (75, 75, 58), cavity)
        paint(330, (125, 30, side * 95), (45, 50, 12))
    for _ in range(rng.integers(24, 36)):
        center: Triple = (rng.uniform(-80, 120), rng.uniform(-70, 5), rng.uniform(-90, 90))
        semi = rng.uniform(11, 22, 3)
        paint(SOFT + 15, center, semi, cavity)
        paint(rng.choice((-850, 15, 40, 190)), center, semi * 0.78, cavity)
    blood = 240 - 100 * phase + rng.uniform(-25, 25)
    liver, spleen = rng.uniform(80, 125), rng.uniform(100, 150)
    top = rng.uniform(-75, -50)
    paint(liver, (top, -12, -68), (85, 78, 68), cavity)
    for _ in range(6):
        center = np.array((top, -12, -68)) + rng.uniform(-45, 45, 3)
        paint(liver + 0.35 * (blood - liver), center, (4, 4, 18), cavity)
    paint(spleen, (top - 5, 28, 98), (48, 38, 26), cavity)
    paint(rng.uniform(5, 20), (top + 60, -35, -45), (25, 16, 14), cavity)
    for side in (-1, 1):
        paint(MUSCLE, (60, 48, side * 38), (110, 18, 17))
        paint(MUSCLE, (0, 84, side * 36), (ENDLESS, 20, 32))
    _paint_spine(rng, paint, axes, within)
    paint(blood, (0, 24, 7), (ENDLESS, 10, 10), cavity)
    paint(0.8 * blood, (0, 24, -20), (ENDLESS, 10, 12), cavity)


def _paint_spine(rng: np.random.Generator, paint: Callable[..., None], axes: Axes, within: np.ndarray) -> None:
    """Paint vertebrae with their discs, arches and the canal."""
    paint(150 + 40 * rng.random(), (0, 52, 0), (ENDLESS, 20, 23))
    paint(95, (0, 52, 0), (ENDLESS, 20, 23), within & (np.sin(axes[0] / 5.5) > 0.75))
    paint(330, (0, 80, 0), (ENDLESS, 12, 17))
    paint(25, (0, 78, 0), (ENDLESS, 7, 8))
