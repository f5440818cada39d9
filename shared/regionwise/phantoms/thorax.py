"""The chest around a heart in short-axis planes: what else shows in the field of view of cardiac MRI."""

from dataclasses import dataclass

import numpy as np

from .heart import Heart
from .rendering import ellipse


@dataclass(frozen=True)
class Look:
    """The signal of each tissue, relative to the brightest blood."""

    blood: float
    right_blood: float
    myocardium: float
    fat: float
    liver: float
    muscle: float
    lung: float


# Lowest and highest signal of each tissue; of right blood and myocardium relative to the blood. Fat may outshine blood,
# and liver and muscle look like myocardium.
CLEAR = {
    "blood": (0.7, 1.0),
    "right_blood": (0.7, 1.05),
    "myocardium": (0.3, 0.55),
    "fat": (0.6, 1.5),
    "liver": (0.25, 0.8),
    "muscle": (0.2, 0.4),
    "lung": (0.04, 0.16),
}
FAINT = {
    "blood": (0.5, 0.8),
    "right_blood": (0.75, 1.05),
    "myocardium": (0.5, 0.75),
    "fat": (0.8, 1.6),
    "liver": (0.3, 0.9),
    "muscle": (0.2, 0.5),
    "lung": (0.04, 0.2),
}


def draw_look(rng: np.random.Generator, faint: bool = False) -> Look:
    """Draw the signals of one scan.

    Args:
        rng: the source of randomness.
        faint: whether blood is less bright, and little brighter than myocardium.
    """
    drawn = {tissue: rng.uniform(*ends) for tissue, ends in (FAINT if faint else CLEAR).items()}
    for tissue in ("right_blood", "myocardium"):
        drawn[tissue] *= drawn["blood"]
    return Look(**drawn)


def paint_thorax(
    look: Look,
    heart: Heart,
    rng: np.random.Generator,
    u: np.ndarray,
    v: np.ndarray,
    t: float,
    false_ventricles: tuple[int, int] | None = None,
) -> np.ndarray:
    """Paint the chest without the heart: body wall, lungs, mediastinum, spine, liver, spleen and stomach.

    Args:
        look: the signals.
        heart: the heart that has to fit inside.
        rng: the source of randomness; a generator in the same state paints the same chest at another ``t``.
        u: mm from the left ventricle's center toward the right ventricle, (rows, columns); the chest's front.
        v: mm across that, (rows, columns).
        t: position along the heart's axis, 0 at its base and 1 at its apex.
        false_ventricles: how many at least, and fewer than how many, cavities with a wall look like the left ventricle.

    Returns:
        the signal, float64 (rows, columns); 0 is air.
    """
    signal = np.full(u.shape, look.lung)
    depth, back = _body_wall(signal, look, heart, rng, u, v, t)
    _vessels(signal, look, rng, u, v, t, depth)
    _mediastinum(signal, look, heart, rng, u, v, back)
    _abdomen(signal, look, heart, rng, u, v, t, depth)
    if false_ventricles:
        _false_ventricles(signal, look, heart, rng, u, v, depth, false_ventricles)
    _arms(signal, look, rng, u, v, depth)
    return signal


def _body_wall(
    signal: np.ndarray, look: Look, heart: Heart, rng: np.random.Generator, u: np.ndarray, v: np.ndarray, t: float
) -> tuple[np.ndarray, float]:
    """Paint skin fat, muscle and ribs; return the depth below the skin in mm and where the back's skin is."""
    fat_mm, muscle_mm = rng.uniform(7, 22), rng.uniform(10, 18)
    front = heart.reach + rng.uniform(2, 14) + fat_mm + muscle_mm
    deep, wide = rng.uniform(108, 132), rng.uniform(145, 180)
    middle = front - deep, rng.uniform(-25, 5)
    across, along = (u - middle[0]) / deep, (v - middle[1]) / wide
    depth = (1 - (np.abs(across) ** 2.4 + np.abs(along) ** 2.4) ** (1 / 2.4)) * deep
    signal[depth < fat_mm + muscle_mm] = look.muscle
    ribs = (np.abs(depth - fat_mm - 0.6 * muscle_mm) < 3.5) & (np.sin(16 * np.arctan2(along, across) + 3 * t) > 0.2)
    signal[ribs] = 0.6 * look.fat
    signal[depth < fat_mm] = look.fat
    signal[depth < 0] = 0
    return depth, middle[0] - deep


def _vessels(
    signal: np.ndarray, look: Look, rng: np.random.Generator, u: np.ndarray, v: np.ndarray, t: float, depth: np.ndarray
) -> None:
    """Paint vessels in lung and mediastinum, blood within a wall as in a ventricle; they wander from slice to slice."""
    for _ in range(rng.integers(25, 45)):
        center = rng.uniform((-140, -140), (70, 140)) + t * rng.uniform(-25, 25, 2)
        axes, wall = rng.uniform(3, 20, 2), rng.uniform(1, 8)
        signal[ellipse(u, v, center, axes + wall) & (depth > 22)] = look.myocardium * rng.uniform(0.7, 1.3)
        signal[ellipse(u, v, center, axes) & (depth > 22)] = look.blood * rng.uniform(0.4, 1.05)


def _mediastinum(
    signal: np.ndarray, look: Look, heart: Heart, rng: np.random.Generator, u: np.ndarray, v: np.ndarray, back: float
) -> None:
    """Paint spine, muscles of the back, descending aorta, inferior vena cava and esophagus."""
    spine = back + rng.uniform(52, 62), rng.uniform(-8, 22)
    for side in (-1, 1):
        signal[ellipse(u, v, (spine[0] - 22, spine[1] + side * 34), (18, 28))] = look.muscle
    signal[ellipse(u, v, spine, (20, 23))] = 0.4 * look.fat + 0.5 * look.muscle
    signal[ellipse(u, v, (spine[0] - 30, spine[1]), (9, 10))] = 1.1 * look.blood
    signal[ellipse(u, v, (spine[0] - 30, spine[1]), (5, 6))] = look.muscle
    # Behind the heart: between its wall and the spine, so near that a network has to know which blood is the heart's.
    rear = -(heart.cavity + heart.wall) - 16
    aorta = max(rear - rng.uniform(0, 12), spine[0] + 26), rng.uniform(-32, -12)
    cava = rear + rng.uniform(6, 14), rng.uniform(30, 48)
    gullet = aorta[0] + 4, aorta[1] + rng.uniform(20, 26)
    for center, radius, content in ((aorta, 11, 0.95 * look.blood), (cava, 11, look.right_blood), (gullet, 6, 0.3)):
        signal[ellipse(u, v, center, (radius + 2.5, radius + 2.5))] = look.myocardium
        signal[ellipse(u, v, center, (radius, radius))] = content


def _abdomen(
    signal: np.ndarray,
    look: Look,
    heart: Heart,
    rng: np.random.Generator,
    u: np.ndarray,
    v: np.ndarray,
    t: float,
    depth: np.ndarray,
) -> None:
    """Paint liver with its vessels, spleen, stomach and bowel below the diaphragm, which rises toward the apex."""
    floor = heart.cavity + heart.wall + rng.uniform(2, 12)
    inside = depth > rng.uniform(24, 32)
    reach = rng.uniform(75, 95)
    liver = ellipse(u, v, (10, -floor - reach), (reach * 1.2, reach + 8 * t)) & inside
    signal[liver] = look.liver
    vessels = np.sin(u / 7 + rng.uniform(0, 6)) * np.sin(v / 8 + rng.uniform(0, 6)) > 0.82
    signal[liver & vessels] = 0.8 * look.blood
    spleen = ellipse(u, v, (-70 + rng.uniform(-8, 8), floor + rng.uniform(42, 60)), (30, 20 + 10 * max(t, 0))) & inside
    signal[spleen] = look.blood * rng.uniform(0.4, 0.95)
    # Stomach and bowel: bright contents within a dark wall, as a ventricle within its myocardium.
    for _ in range(rng.integers(7, 13)):
        center = rng.uniform(-100, 60), rng.choice((-1, 1)) * (floor + rng.uniform(22, 80))
        axes, wall = rng.uniform(12, 34, 2), rng.uniform(3, 11)
        signal[ellipse(u, v, center, axes + wall) & inside] = look.myocardium
        signal[ellipse(u, v, center, axes) & inside] = rng.uniform(0.3, 1.05) * look.blood


def _false_ventricles(
    signal: np.ndarray,
    look: Look,
    heart: Heart,
    rng: np.random.Generator,
    u: np.ndarray,
    v: np.ndarray,
    depth: np.ndarray,
    count: tuple[int, int],
) -> None:
    """Paint cavities of blood within walls, as large as the left ventricle: only their place tells them apart."""
    inside = depth > 22
    for _ in range(rng.integers(*count)):
        angle, distance = rng.uniform(0, 2 * np.pi), 0.8 * heart.reach + rng.uniform(20, 85)
        center = distance * np.cos(angle), distance * np.sin(angle)
        axes = heart.cavity * rng.uniform(0.6, 1.05) * rng.uniform(0.9, 1.1, 2)
        wall = heart.wall * rng.uniform(0.7, 1.2)
        for margin, tissue in ((wall + 4, 0.75 * look.fat), (wall, look.myocardium), (0, look.blood)):
            signal[ellipse(u, v, center, axes + margin) & inside] = tissue


def _arms(
    signal: np.ndarray, look: Look, rng: np.random.Generator, u: np.ndarray, v: np.ndarray, depth: np.ndarray
) -> None:
    """Paint arms at the sides of half of the chests."""
    shown, place = rng.random() < 0.5, rng.uniform(-90, -40)
    for side in (-1, 1):
        center = place, side * 215
        if shown:
            signal[ellipse(u, v, center, (42, 40)) & (depth < -2)] = look.fat
            signal[ellipse(u, v, center, (34, 32)) & (depth < -2)] = look.muscle
            signal[ellipse(u, v, center, (10, 10)) & (depth < -2)] = 0.6 * look.fat
