"""Shared by the phantoms: shapes, scanner effects, and files that are byte-identical for the same seed."""

import numpy as np
from scipy import ndimage

Pair = tuple[float, float] | np.ndarray


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], scale: float | tuple[float, ...]) -> np.ndarray:
    """Return Gaussian noise smoothed over ``scale`` voxels, with mean 0 and standard deviation 1.

    Noise that is smooth is drawn on a coarser grid and interpolated, which for a scan of full size takes a tenth of
    the time.

    Args:
        rng: the source of randomness.
        shape: of the result.
        scale: standard deviation of the smoothing in voxels; one number or one per axis.

    Returns:
        float32 of ``shape``.
    """
    scales = np.broadcast_to(scale, len(shape))
    strides = np.maximum(1, (scales / 1.5).astype(int))
    coarse = tuple(int(size) // int(stride) + 1 for size, stride in zip(shape, strides, strict=True))
    noise = rng.standard_normal(shape if (strides == 1).all() else coarse, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, scales / strides, mode="nearest", truncate=3)
    if noise.shape != tuple(shape):
        noise = ndimage.zoom(noise, np.divide(shape, noise.shape), order=1, mode="nearest", grid_mode=True)
    return (noise - noise.mean()) / noise.std()


def bias_field(rng: np.random.Generator, shape: tuple[int, ...], strength: float) -> np.ndarray:
    """Return the bias field of a coil: a smooth factor around 1, the exponential of a random quadratic.

    Args:
        rng: the source of randomness.
        shape: of the volume.
        strength: largest absolute logarithm of the factor.

    Returns:
        float64 of ``shape``.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij", sparse=True)
    slope, curve = rng.uniform(-1, 1, len(shape)), rng.uniform(-0.5, 0.5, len(shape))
    logarithm = np.zeros(shape)
    for axis, s, c in zip(axes, slope, curve, strict=True):
        logarithm = logarithm + s * axis + c * axis**2
    logarithm -= logarithm.mean()
    return np.exp(strength * logarithm / np.abs(logarithm).max())


def rician(rng: np.random.Generator, image: np.ndarray, sigma: float) -> np.ndarray:
    """Return the magnitude of ``image`` plus complex Gaussian noise of standard deviation ``sigma``, as in MRI."""
    real, imaginary = (sigma * rng.standard_normal(image.shape, dtype=np.float32) for _ in range(2))
    return np.hypot(image + real, imaginary)


def wobble(rng: np.random.Generator, angle: np.ndarray, strength: float) -> np.ndarray:
    """Return a factor around 1 that varies smoothly with ``angle`` (radians): the irregularity of a contour."""
    factor = np.ones_like(angle)
    for order in (2, 3, 4):
        factor += strength / order * rng.uniform(0.3, 1) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return factor


def ellipse(x: np.ndarray, y: np.ndarray, center: Pair, axes: Pair) -> np.ndarray:
    """Return where the normalized radius about ``center`` with half-``axes`` is below 1 (boolean)."""
    return ((x - center[0]) / axes[0]) ** 2 + ((y - center[1]) / axes[1]) ** 2 < 1


def grid_mm(shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> list[np.ndarray]:
    """Return the coordinates of the voxels along each axis about the center, in mm, as a sparse grid."""
    axes = [(np.arange(size) - (size - 1) / 2) * step for size, step in zip(shape, spacing_mm, strict=True)]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))
