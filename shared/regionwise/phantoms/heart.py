"""The geometry of a beating heart in short-axis planes."""

from dataclasses import dataclass

import numpy as np

from .rendering import ellipse

Range = tuple[float, float]


@dataclass(frozen=True)
class Build:
    """The ranges hearts are drawn from.

    Attributes:
        offset_mm: largest distance of the left ventricle from the center of the field of view, per axis.
        length_mm: base to apex of the left cavity at end diastole.
        cavity_mm: radius of the left cavity at the base at end diastole.
        wall_mm: thickness of the myocardium at end diastole.
        ejection: radius of the left cavity at end systole over that at end diastole.
        right: size of the right ventricle, relative to the left one.
    """

    offset_mm: float
    length_mm: Range
    cavity_mm: Range
    wall_mm: Range
    ejection: Range
    right: Range


@dataclass(frozen=True)
class Heart:
    """The shape of one heart; lengths in mm, angles in radians, positions along the axis as fractions of its length.

    Attributes:
        center: of the left ventricle at the base, in plane.
        tilt: shift of that center from base to apex.
        septum: direction from the left to the right ventricle.
        length: base to apex of the cavity at end diastole.
        cavity: radius of the left cavity at the base at end diastole.
        wall: thickness of the myocardium at end diastole.
        ejection: cavity radius at end systole over that at end diastole.
        right: size of the right ventricle.
        right_end: where the right ventricle ends.
    """

    center: np.ndarray
    tilt: np.ndarray
    septum: float
    length: float
    cavity: float
    wall: float
    ejection: float
    right: float
    right_end: float

    @property
    def reach(self) -> float:
        """Distance in mm from the axis to the far wall of the right ventricle at the base."""
        return (self.cavity + self.wall) * (0.62 + 1.05 * self.right)


def draw_heart(rng: np.random.Generator, build: Build, apical: bool = False) -> Heart:
    """Draw a random heart.

    Args:
        rng: the source of randomness.
        build: the ranges to draw from.
        apical: whether the right ventricle ends near the base.
    """
    return Heart(
        center=rng.uniform(-build.offset_mm, build.offset_mm, 2),
        tilt=rng.uniform(-10, 10, 2),
        septum=np.deg2rad(rng.uniform(130, 210)),
        length=rng.uniform(*build.length_mm),
        cavity=rng.uniform(*build.cavity_mm),
        wall=rng.uniform(*build.wall_mm),
        ejection=rng.uniform(*build.ejection),
        right=rng.uniform(*build.right),
        right_end=0.28 if apical else rng.uniform(0.75, 0.92),
    )


def taper(t: float, end: float) -> float:
    """Return the relative radius of a ventricle at ``t``: 1 at the base, 0 from ``end`` on."""
    return float(np.sqrt(max(0.0, 1 - (max(t, 0) / end) ** 2.6)))


class Plane:
    """An infinitely thin plane through a heart, in the heart's own coordinates.

    Attributes:
        t: position along the axis: 0 at the base, 1 at the apex of the cavity.
        u: mm from the left ventricle's center toward the right ventricle, (rows, columns).
        v: mm across that, (rows, columns).
        cavity: radius of the left cavity at the base, mm.
        outer: radius of the myocardium at the base, mm.
    """

    def __init__(self, heart: Heart, phase: str, x: np.ndarray, y: np.ndarray, height_mm: float) -> None:
        systole = phase == "ES"
        # The base moves toward the apex in systole, so the first slices then show the atria.
        self.t = (height_mm - (0.13 * heart.length if systole else 0)) / (heart.length * (0.85 if systole else 1))
        center = heart.center + heart.tilt * np.clip(self.t, 0, 1)
        x, y, cosine, sine = x - center[0], y - center[1], np.cos(heart.septum), np.sin(heart.septum)
        self.u, self.v = x * cosine + y * sine, y * cosine - x * sine
        self.cavity = heart.cavity * (heart.ejection if systole else 1)
        # The wall nearly keeps its area in the plane: it thickens as the cavity shrinks.
        self.outer = np.sqrt((heart.cavity + heart.wall) ** 2 - (heart.cavity**2 - self.cavity**2) * 0.85)
        self.right = (0.84 if systole else 1) * heart.right * self.outer * taper(self.t, heart.right_end)
        self.right_end = heart.right_end

    def around_right(self, margin_u_mm: float, margin_v_mm: float, bulge: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the ellipse of the right ventricle, larger by these margins (boolean; it overlaps the left one)."""
        axes = max(1.05 * self.right + margin_u_mm, 1e-6), max(1.08 * self.right + margin_v_mm, 1e-6)
        return ellipse(self.u / bulge, self.v / bulge, (0.62 * self.outer, 0), axes) & (self.t < self.right_end)
