"""A phantom in ACDC's layout: short-axis cine MRI of the heart at end diastole and end systole."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..nifti import write_volume
from .heart import Heart, Plane, draw_heart, taper
from .rendering import bias_field, ellipse, rician, smooth_noise, wobble

FIELD_OF_VIEW_MM = 150.0
DEFAULT_SIZE = 96
RV, MYOCARDIUM, LV = 1, 2, 3


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
    heart, look = draw_heart(rng, apical), _draw_look(rng)
    shape = np.array((size or DEFAULT_SIZE, round((size or DEFAULT_SIZE) * rng.uniform(0.92, 1))))
    spacing_mm = np.array((*(2 * [FIELD_OF_VIEW_MM / shape[0]]), rng.choice((8.0, 9.0, 10.0))))
    start_mm = heart.length * (0.45 if apical else -0.12) + rng.uniform(-2, 2)
    slices = int(np.ceil((1.04 * heart.length - start_mm) / spacing_mm[2]))
    heights_mm = start_mm + spacing_mm[2] * np.arange(slices)
    affine = _oblique_affine(rng, spacing_mm, (*shape, slices))
    frames = {"ED": 1, "ES": int(rng.integers(8, 14))}
    # MRI has no unit: the same tissue may be ten times as bright in another scanner.
    scale = np.exp(rng.uniform(np.log(150), np.log(1500)))
    bias = bias_field(rng, (*shape, slices), rng.uniform(0.3, 0.6))
    anatomy_seed = int(rng.integers(2**32))
    for phase, frame in frames.items():
        image, label = _render(heart, look, phase, shape, spacing_mm, heights_mm, anatomy_seed)
        image = rician(rng, image * bias * (1 + 0.06 * smooth_noise(rng, image.shape, (1.5, 1.5, 0.5))), 0.035)
        stem = folder / name / f"{name}_frame{frame:02d}"
        write_volume(stem.with_suffix(".nii.gz"), np.round(image * scale).astype(np.int16), affine)
        write_volume(stem.with_name(stem.name + "_gt.nii.gz"), label, affine)
    group = rng.choice(("NOR", "MINF", "DCM", "HCM", "RV"))
    body = f"Height: {rng.normal(170, 10):.1f}\nNbFrame: {rng.integers(20, 31)}\nWeight: {rng.normal(75, 12):.1f}\n"
    (folder / name / "Info.cfg").write_text(f"ED: {frames['ED']}\nES: {frames['ES']}\nGroup: {group}\n{body}")


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


def _render(
    heart: Heart,
    look: Look,
    phase: str,
    shape: np.ndarray,
    spacing_mm: np.ndarray,
    heights_mm: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return signal and labels of one frame; the seed fixes what both frames of a subject have in common."""
    x, y = np.meshgrid(*((np.arange(n) - (n - 1) / 2) * spacing_mm[0] for n in shape), indexing="ij")
    # Each slice is a breath-hold of its own, so neighbours do not fit exactly.
    shifts_mm = np.random.default_rng(seed).normal(0, 1.2, (len(heights_mm), 2))
    image, label = np.zeros((*shape, len(heights_mm))), np.zeros((*shape, len(heights_mm)), np.uint8)
    for index, (height_mm, shift) in enumerate(zip(heights_mm, shifts_mm, strict=True)):
        signals = []
        # A slice shows the average over its thickness; its label is drawn at its centre, which comes last.
        for offset in (-0.33, 0.33, 0.0):
            plane = Plane(heart, phase, x - shift[0], y - shift[1], height_mm + offset * spacing_mm[2])
            signal, classes = _paint(plane, look, np.random.default_rng(seed + 1))
            signals.append(signal)
        image[..., index] = ndimage.gaussian_filter(np.mean(signals, axis=0), 0.6)
        label[..., index] = classes
    return image, label


def _paint(plane: Plane, look: Look, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return signal and labels of a plane, painted from the back to the front."""
    t, u, v = plane.t, plane.u, plane.v
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    inside = radius < plane.cavity * taper(t, 1.0) * wobble(rng, angle, 0.07)
    wall = (radius < plane.outer * taper(t, 1.1) * wobble(rng, angle, 0.04)) & (t <= 1.1)
    right = plane.around_right(0, 0, wobble(rng, angle, 0.08)) & ~wall

    signal = _thorax(look, rng, u, v, t)
    fat = radius < (plane.outer * taper(t, 1.3) + 3) * wobble(rng, angle, 0.25)
    signal[(fat | plane.around_right(7, 5)) & (t < 1.05)] = 0.75 * look.fat
    label = np.zeros(u.shape, np.uint8)
    if t < 0:
        _paint_base(signal, look, u / plane.outer, v / plane.outer)
        return signal, label
    signal[plane.around_right(3.5, 3.5)] = look.myocardium
    trabeculae = np.sin(u / 1.7) * np.cos(v / 2.1) > 0.3
    signal[right] = (look.right_blood * (1 - 0.3 * t / plane.right_end * trabeculae))[right]
    signal[wall] = look.myocardium
    signal[inside] = look.blood
    for side in (1.9, -2.1):
        papillary = ellipse(u, v, (0.58 * plane.cavity * np.cos(side), 0.58 * plane.cavity * np.sin(side)), (4.5, 3.5))
        signal[papillary & inside & (0.3 < t < 0.8)] = 1.15 * look.myocardium
    label[right], label[wall], label[inside] = RV, MYOCARDIUM, LV
    return signal, label


def _paint_base(signal: np.ndarray, look: Look, u: np.ndarray, v: np.ndarray) -> None:
    """Draw what lies above the valves, blood that belongs to no class; coordinates in radii of the left ventricle."""
    for centre, axes in (((0.1, 0.25), (0.42, 0.42)), ((-0.55, -0.3), (0.55, 0.75)), ((0.95, -0.45), (0.5, 0.6))):
        signal[ellipse(u, v, centre, (axes[0] + 0.1, axes[1] + 0.1))] = look.myocardium
        signal[ellipse(u, v, centre, axes)] = look.blood


def _thorax(look: Look, rng: np.random.Generator, u: np.ndarray, v: np.ndarray, t: float) -> np.ndarray:
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
