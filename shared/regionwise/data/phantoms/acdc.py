"""A phantom in ACDC's layout: short-axis cine MRI of the heart at end diastole and end systole."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from .rendering import bias_field, ellipse, rician, save, smooth_noise, wobble

FIELD_OF_VIEW_MM = 150.0
DEFAULT_SIZE = 96
RV, MYOCARDIUM, LV = 1, 2, 3


@dataclass(frozen=True)
class Heart:
    """The shape of one heart; lengths in mm, angles in radians, positions along the axis as fractions of its length.

    Attributes:
        centre: of the left ventricle at the base, in plane.
        tilt: shift of that centre from base to apex.
        septum: direction from the left to the right ventricle.
        length: base to apex of the cavity at end diastole.
        cavity: radius of the left cavity at the base at end diastole.
        wall: thickness of the myocardium at end diastole.
        ejection: cavity radius at end systole over that at end diastole.
        right: size of the right ventricle.
        right_end: where the right ventricle ends.
    """

    centre: np.ndarray
    tilt: np.ndarray
    septum: float
    length: float
    cavity: float
    wall: float
    ejection: float
    right: float
    right_end: float


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


def write_subject(folder: Path, number: int, rng: np.random.Generator, size: int | None) -> None:
    """Write ``patientNNN`` with ``Info.cfg`` and both frames (without the 4-D cine, which no reader of ours needs).

    Every seventh stack starts below the right ventricle, so that both its frames hold no RV.

    Args:
        folder: the dataset's folder.
        number: of the patient, from 1.
        rng: the source of randomness.
        size: in-plane voxels; the field of view stays.
    """
    name = f"patient{number:03d}"
    apical = number % 7 == 3
    heart, look = _draw_heart(rng, apical), _draw_look(rng)
    shape = np.array((size or DEFAULT_SIZE, round((size or DEFAULT_SIZE) * rng.uniform(0.92, 1))))
    spacing_mm = np.array((*(2 * [FIELD_OF_VIEW_MM / shape[0]]), rng.choice((8.0, 9.0, 10.0))))
    start_mm = heart.length * (0.45 if apical else -0.12) + rng.uniform(-2, 2)
    slices = int(np.ceil((1.04 * heart.length - start_mm) / spacing_mm[2]))
    heights_mm = start_mm + spacing_mm[2] * np.arange(slices)
    affine = _oblique_affine(rng, spacing_mm, (*shape, slices))
    frames = {"ED": 1, "ES": int(rng.integers(8, 14))}
    scale, bias = (
        np.exp(rng.uniform(np.log(150), np.log(1500))),
        bias_field(rng, (*shape, slices), rng.uniform(0.3, 0.6)),
    )
    anatomy_seed = int(rng.integers(2**32))
    for phase, frame in frames.items():
        image, label = _render(heart, look, phase, shape, spacing_mm, heights_mm, anatomy_seed)
        image = rician(rng, image * bias * (1 + 0.06 * smooth_noise(rng, image.shape, (1.5, 1.5, 0.5))), 0.035)
        stem = folder / name / f"{name}_frame{frame:02d}"
        save(stem.with_suffix(".nii.gz"), np.round(image * scale).astype(np.int16), affine)
        save(stem.with_name(stem.name + "_gt.nii.gz"), label, affine)
    group = rng.choice(("NOR", "MINF", "DCM", "HCM", "RV"))
    body = f"Height: {rng.normal(170, 10):.1f}\nNbFrame: {rng.integers(20, 31)}\nWeight: {rng.normal(75, 12):.1f}\n"
    (folder / name / "Info.cfg").write_text(f"ED: {frames['ED']}\nES: {frames['ES']}\nGroup: {group}\n{body}")


def _draw_heart(rng: np.random.Generator, apical: bool) -> Heart:
    return Heart(
        centre=rng.uniform(-9, 9, 2),
        tilt=rng.uniform(-10, 10, 2),
        septum=np.deg2rad(rng.uniform(130, 210)),
        length=rng.uniform(72, 92),
        cavity=rng.uniform(19, 28),
        wall=rng.uniform(7.5, 12),
        ejection=rng.uniform(0.55, 0.78),
        right=rng.uniform(0.85, 1.15),
        right_end=0.28 if apical else rng.uniform(0.75, 0.92),
    )


def _draw_look(rng: np.random.Generator) -> Look:
    blood = rng.uniform(0.7, 1.0)
    return Look(
        blood=blood,
        right_blood=blood * rng.uniform(0.78, 1.05),
        myocardium=blood * rng.uniform(0.25, 0.48),
        fat=rng.uniform(0.6, 1.5),
        liver=rng.uniform(0.22, 0.5),
        muscle=rng.uniform(0.2, 0.4),
        lung=rng.uniform(0.02, 0.08),
    )


def _render(heart, look, phase, shape, spacing_mm, heights_mm, seed) -> tuple[np.ndarray, np.ndarray]:
    """Return signal and labels of one frame; the seed fixes what both frames of a subject have in common."""
    x, y = np.meshgrid(*((np.arange(n) - (n - 1) / 2) * spacing_mm[0] for n in shape), indexing="ij")
    shifts_mm = np.random.default_rng(seed).normal(0, 1.2, (len(heights_mm), 2))
    image, label = np.zeros((*shape, len(heights_mm))), np.zeros((*shape, len(heights_mm)), np.uint8)
    for index, (height_mm, shift) in enumerate(zip(heights_mm, shifts_mm, strict=True)):
        planes = []
        # A slice shows the average over its thickness; its label is drawn at its centre.
        for offset in (-0.33, 0.33, 0.0):
            signal, classes = _plane(
                heart, look, phase, x - shift[0], y - shift[1], height_mm + offset * spacing_mm[2], seed
            )
            planes.append(signal)
        image[..., index] = ndimage.gaussian_filter(np.mean(planes, axis=0), 0.6)
        label[..., index] = classes
    return image, label


def _plane(heart, look, phase, x, y, height_mm, seed) -> tuple[np.ndarray, np.ndarray]:
    """Return signal and labels of an infinitely thin plane at ``height_mm`` below the base at end diastole."""
    rng = np.random.default_rng(seed + 1)
    systole = phase == "ES"
    # The base moves towards the apex in systole, so the first slices then show the atria.
    t = (height_mm - (0.13 * heart.length if systole else 0)) / (heart.length * (0.85 if systole else 1))
    centre = heart.centre + heart.tilt * np.clip(t, 0, 1)
    x, y = x - centre[0], y - centre[1]
    u, v = x * np.cos(heart.septum) + y * np.sin(heart.septum), y * np.cos(heart.septum) - x * np.sin(heart.septum)
    radius, angle = np.hypot(u, v), np.arctan2(v, u)

    cavity = heart.cavity * (heart.ejection if systole else 1)
    # The wall keeps its area in the plane: it thickens as the cavity shrinks.
    outer = np.sqrt((heart.cavity + heart.wall) ** 2 - (heart.cavity**2 - cavity**2) * 0.85)
    inside = radius < cavity * _taper(t, 1.0) * wobble(rng, angle, 0.07)
    heart_wall = (radius < outer * _taper(t, 1.1) * wobble(rng, angle, 0.04)) & (t <= 1.1)
    squeeze, end = (0.84 if systole else 1) * heart.right * _taper(t, heart.right_end), heart.right_end
    wide, tall, middle = 1.05 * outer * squeeze, 1.08 * outer * squeeze, 0.62 * outer
    bulge = wobble(rng, angle, 0.08)
    right = ellipse(u / bulge, v / bulge, (middle, 0), (max(wide, 1e-6), max(tall, 1e-6))) & ~heart_wall & (t < end)
    right_wall = ellipse(u, v, (middle, 0), (wide + 3.5, tall + 3.5)) & (t < end)

    signal = _thorax(look, rng, u, v, t)
    fat = radius < (outer * _taper(t, 1.3) + 3) * wobble(rng, angle, 0.25)
    fat |= ellipse(u, v, (middle, 0), (wide + 7, tall + 5)) & (t < end)
    signal[fat & (t < 1.05)] = 0.75 * look.fat
    label = np.zeros(x.shape, np.uint8)
    if t < 0:
        _paint_base(signal, look, u, v, outer)
        return signal, label
    signal[right_wall | heart_wall] = look.myocardium
    signal[right] = look.right_blood * (1 - 0.3 * max(t / end, 0) * (np.sin(u / 1.7) * np.cos(v / 2.1) > 0.3))[right]
    signal[heart_wall] = look.myocardium
    signal[inside] = look.blood
    for side in (1.9, -2.1):
        muscle = ellipse(u, v, (0.58 * cavity * np.cos(side), 0.58 * cavity * np.sin(side)), (4.5, 3.5))
        signal[muscle & inside & (0.3 < t < 0.8)] = 1.15 * look.myocardium
    label[right], label[heart_wall], label[inside] = RV, MYOCARDIUM, LV
    return signal, label


def _taper(t: float, end: float) -> float:
    """Return the relative radius of a ventricle at ``t``: 1 at the base, 0 from ``end`` on."""
    return float(np.sqrt(max(0.0, 1 - (max(t, 0) / end) ** 2.6)))


def _paint_base(signal, look, u, v, outer) -> None:
    """Draw what lies above the valves: blood of the same signal that belongs to no class."""
    for centre, axes in (((0.1, 0.25), (0.42, 0.42)), ((-0.55, -0.3), (0.55, 0.75)), ((0.95, -0.45), (0.5, 0.6))):
        signal[ellipse(u / outer, v / outer, centre, (axes[0] + 0.1, axes[1] + 0.1))] = look.myocardium
        signal[ellipse(u / outer, v / outer, centre, axes)] = look.blood


def _thorax(look, rng, u, v, t) -> np.ndarray:
    """Return the signal around the heart: lung, chest wall with ribs, liver, stomach and descending aorta."""
    signal = np.full(u.shape, look.lung)
    vessels = np.sin(u / 5 + rng.uniform(0, 6)) * np.sin(v / 4 + rng.uniform(0, 6)) > 0.93
    signal[vessels] = 0.4 * look.blood
    along, across = np.cos(rng.uniform(0.6, 1.0)), rng.uniform(95, 112)
    depth = across - np.hypot(u + 45 * along, v + 45)
    chest = rng.uniform(10, 16)
    signal[depth < 2 * chest] = look.muscle
    arc = np.arctan2(v + 45, u + 45 * along)
    ribs = (np.abs(depth - 1.4 * chest) < 3.5) & (np.sin(14 * arc + 3 * t) > 0.2)
    signal[ribs] = 0.6 * look.fat
    signal[depth < chest] = look.fat
    signal[depth < 0] = 0
    dome, reach = rng.uniform(52, 62), rng.uniform(70, 90)
    liver = ellipse(u, v, (25, -dome - reach), (reach * 1.2, reach + 8 * t)) & (depth > 1.2 * chest)
    signal[liver] = look.liver
    signal[liver & (np.sin(u / 6 + 1) * np.sin(v / 7) > 0.9)] = 0.7 * look.blood
    stomach = ellipse(u, v, (-45, -70), (22, 18 + 8 * t))
    signal[stomach] = rng.uniform(0.05, 0.9)
    aorta = (rng.uniform(-66, -54), rng.uniform(-22, 4))
    signal[ellipse(u, v, aorta, (13, 13))] = look.myocardium
    signal[ellipse(u, v, aorta, (10.5, 10.5))] = 0.95 * look.blood
    return signal


def _oblique_affine(rng: np.random.Generator, spacing_mm: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the affine of a double-oblique stack about the scanner's centre."""
    axes = np.array([[0.15, 0.67, -0.72], [-0.35, 0.71, 0.61], [-0.92, -0.16, -0.35]]) + rng.normal(0, 0.06, (3, 3))
    rotation, upper = np.linalg.qr(axes)
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.sign(np.diag(upper)) * spacing_mm
    affine[:3, 3] = rng.uniform(-20, 20, 3) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine.round(6)
