"""A phantom in ACDC's layout: short-axis cine MRI of the heart at end diastole and end systole."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..nifti import write_volume
from .heart import Build, Heart, Plane, Range, draw_heart, taper
from .rendering import bias_field, ellipse, rician, smooth_noise, wobble
from .thorax import Look, draw_look, paint_thorax

RV, MYOCARDIUM, LV = 1, 2, 3
SLICES = 7, 15
# Standard deviation of the smoothing of each component of the texture, in plane.
TEXTURE_VOXELS = 1.5, 5, 20


@dataclass(frozen=True)
class Preset:
    """Ranges that the subjects of a phantom are drawn from.

    Attributes:
        build: the ranges of the hearts.
        columns_mm: field of view along the second axis.
        rows: field of view along the first axis, relative to the second, and within ``rows_mm``.
        rows_mm: see ``rows``.
        pixel_mm: in-plane voxel size.
        thickness_mm: distances between slices to choose from.
        apical: whether every seventh stack starts below the right ventricle, so that it holds none.
        faint: whether blood is little brighter than myocardium.
        texture: standard deviation of the logarithm of the signal within a tissue, at each of `TEXTURE_VOXELS`.
        false_ventricles: see `paint_thorax`.
    """

    build: Build
    columns_mm: Range
    rows: Range
    rows_mm: Range
    pixel_mm: Range
    thickness_mm: tuple[float, ...]
    apical: bool
    faint: bool = False
    texture: float = 0
    false_ventricles: tuple[int, int] | None = None


FULL = Preset(
    # Field of view, grid and the share of each structure as in the 100 training patients.
    build=Build(32, (74, 102), (22.5, 38.5), (7, 12), (0.64, 0.92), (0.9, 1.32)),
    columns_mm=(300, 430),
    rows=(0.83, 0.93),
    rows_mm=(275, 403),
    pixel_mm=(1.36, 1.79),
    thickness_mm=(5.0, 8.0, 10.0, 10.0, 10.0),
    apical=False,
)
PRESETS = {
    "full": FULL,
    # Hearts that no feature of a small neighborhood gives away: `rrw` collapses on them at a learning rate of 0.003.
    "hard": replace(FULL, build=replace(FULL.build, offset_mm=45), faint=True, texture=0.22, false_ventricles=(5, 9)),
    # A close-up of smaller hearts: 11 % foreground.
    "small": Preset(
        build=Build(9, (72, 92), (19, 28), (7.5, 12), (0.55, 0.78), (0.85, 1.15)),
        columns_mm=(150, 150),
        rows=(0.92, 1),
        rows_mm=(138, 150),
        pixel_mm=(1.5625, 1.5625),
        thickness_mm=(8.0, 9.0, 10.0),
        apical=True,
    ),
}


def write_subject(folder: Path, number: int, rng: np.random.Generator, size: int | None, preset: str) -> None:
    """Write ``patientNNN`` with ``Info.cfg`` and both frames (without the 4-D cine, which no reader of ours needs).

    Args:
        folder: the dataset's folder.
        number: of the patient, from 1.
        rng: the source of randomness.
        size: in-plane voxels of the longer axis; the field of view stays.
        preset: name in `PRESETS`.
    """
    choice = PRESETS[preset]
    name = f"patient{number:03d}"
    apical = choice.apical and number % 7 == 3
    heart, look = draw_heart(rng, choice.build, apical), draw_look(rng, choice.faint)
    shape, spacing_mm, heights_mm = draw_stack(rng, choice, heart, size, apical)
    slices = len(heights_mm)
    affine = _oblique_affine(rng, spacing_mm, (*shape, slices))
    frames = {"ED": 1, "ES": int(rng.integers(8, 14))}
    # MRI has no unit: the same tissue may be ten times as bright in another scanner.
    scale = np.exp(rng.uniform(np.log(150), np.log(1500)))
    bias = bias_field(rng, (*shape, slices), rng.uniform(0.4, 0.8))
    if choice.texture:
        for scale in TEXTURE_VOXELS:
            bias = bias * np.exp(choice.texture * smooth_noise(rng, bias.shape, (scale, scale, 0.5)))
    noise = rng.uniform(0.03, 0.07)
    anatomy_seed = int(rng.integers(2**32))
    for phase, frame in frames.items():
        image, label = _render(choice, heart, look, phase, shape, spacing_mm, heights_mm, anatomy_seed)
        flow = 1 + 0.08 * smooth_noise(rng, image.shape, (2, 2, 0.5))
        image = rician(rng, image * bias * flow, noise)
        stem = folder / name / f"{name}_frame{frame:02d}"
        write_volume(stem.with_suffix(".nii.gz"), np.round(image * scale).astype(np.int16), affine)
        write_volume(stem.with_name(stem.name + "_gt.nii.gz"), label, affine)
    group = rng.choice(("NOR", "MINF", "DCM", "HCM", "RV"))
    body = f"Height: {rng.normal(170, 10):.1f}\nNbFrame: {rng.integers(20, 31)}\nWeight: {rng.normal(75, 12):.1f}\n"
    (folder / name / "Info.cfg").write_text(f"ED: {frames['ED']}\nES: {frames['ES']}\nGroup: {group}\n{body}")


def draw_stack(
    rng: np.random.Generator, preset: Preset, heart: Heart, size: int | None, apical: bool
) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
    """Draw the grid of a stack of slices around a heart.

    Args:
        rng: the source of randomness.
        preset: the ranges to draw from.
        heart: the heart.
        size: in-plane voxels of the longer axis, or None for a drawn voxel size.
        apical: whether the stack starts below the right ventricle.

    Returns:
        rows and columns; voxel size in mm, (3,); the slices' positions along the heart's axis in mm, (slices,).
    """
    columns_mm = rng.uniform(*preset.columns_mm)
    rows_mm = np.clip(columns_mm * rng.uniform(*preset.rows), *preset.rows_mm)
    drawn_mm = rng.uniform(*preset.pixel_mm)
    pixel_mm = columns_mm / size if size else drawn_mm
    start_mm = heart.length * (0.45 if apical else -0.12) + rng.uniform(-2, 2)
    extent_mm = 1.04 * heart.length - start_mm
    thickness_mm = np.clip(rng.choice(preset.thickness_mm), extent_mm / SLICES[1], extent_mm / SLICES[0]).round(2)
    slices = int(np.clip(np.ceil(extent_mm / thickness_mm), *SLICES))
    shape = round(rows_mm / pixel_mm), round(columns_mm / pixel_mm)
    return shape, np.array((pixel_mm, pixel_mm, thickness_mm)), start_mm + thickness_mm * np.arange(slices)


def _render(
    preset: Preset,
    heart: Heart,
    look: Look,
    phase: str,
    shape: tuple[int, int],
    spacing_mm: np.ndarray,
    heights_mm: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return signal and labels of one frame; the seed fixes what both frames of a subject have in common."""
    x, y = np.meshgrid(*((np.arange(n) - (n - 1) / 2) * spacing_mm[0] for n in shape), indexing="ij")
    # Each slice is a breath-hold of its own, so neighbors do not fit exactly.
    shifts_mm = np.random.default_rng(seed).normal(0, 1.2, (len(heights_mm), 2))
    image, label = np.zeros((*shape, len(heights_mm))), np.zeros((*shape, len(heights_mm)), np.uint8)
    for index, (height_mm, shift) in enumerate(zip(heights_mm, shifts_mm, strict=True)):
        planes = [
            Plane(heart, phase, x - shift[0], y - shift[1], height_mm + offset * spacing_mm[2])
            for offset in (-0.33, 0.33, 0.0)
        ]
        center = planes[-1]
        chest = np.random.default_rng(seed + 2)
        thorax = paint_thorax(look, heart, chest, center.u, center.v, center.t, preset.false_ventricles)
        # A slice shows the average over its thickness; its label is drawn at its center, which comes last.
        signals = []
        for plane in planes:
            signal, classes = _paint(plane, look, thorax, np.random.default_rng(seed + 1))
            signals.append(signal)
        image[..., index] = ndimage.gaussian_filter(np.mean(signals, axis=0), 0.6)
        label[..., index] = classes
    return image, label


def _paint(plane: Plane, look: Look, thorax: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return signal and labels of a plane, painted over its thorax from the back to the front."""
    t, u, v = plane.t, plane.u, plane.v
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    inside = radius < plane.cavity * taper(t, 1.0) * wobble(rng, angle, 0.07)
    wall = (radius < plane.outer * taper(t, 1.1) * wobble(rng, angle, 0.04)) & (t <= 1.1)
    right = plane.around_right(0, 0, wobble(rng, angle, 0.08)) & ~wall
    fat = radius < (plane.outer * taper(t, 1.3) + 3) * wobble(rng, angle, 0.25)

    signal = thorax.copy()
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
    """Paint what lies above the valves, blood that belongs to no class; coordinates in radii of the left ventricle."""
    for center, axes in (((0.1, 0.25), (0.42, 0.42)), ((-0.55, -0.3), (0.55, 0.75)), ((0.95, -0.45), (0.5, 0.6))):
        signal[ellipse(u, v, center, (axes[0] + 0.1, axes[1] + 0.1))] = look.myocardium
        signal[ellipse(u, v, center, axes)] = look.blood


def _oblique_affine(rng: np.random.Generator, spacing_mm: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the affine of a double-oblique stack about the scanner's center."""
    axes = np.array([[0.15, 0.67, -0.72], [-0.35, 0.71, 0.61], [-0.92, -0.16, -0.35]]) + rng.normal(0, 0.06, (3, 3))
    rotation, upper = np.linalg.qr(axes)
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.sign(np.diag(upper)) * spacing_mm
    affine[:3, 3] = rng.uniform(-20, 20, 3) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine.round(6)
