"""What the phantoms share: shapes, scanner effects and files that are the same bytes for the same seed."""

import numpy as np
from scipy import ndimage


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], scale: float | tuple[float, ...]) -> np.ndarray:
    """Return noise of mean 0 and standard deviation 1 that varies over ``scale`` voxels, float64 of ``shape``."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), scale, mode="nearest")
    return (noise - noise.mean()) / noise.std()


def bias_field(rng: np.random.Generator, shape: tuple[int, ...], strength: float) -> np.ndarray:
    """Return a smooth factor around 1, float64 of ``shape``: the exponential of a random quadratic.

    Args:
        rng: the source of randomness.
        shape: of the volume.
        strength: the largest absolute logarithm of the factor.
    """
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij", sparse=True)
    slope, curve = rng.uniform(-1, 1, len(shape)), rng.uniform(-0.5, 0.5, len(shape))
    logarithm = np.zeros(shape)
    for axis, s, c in zip(axes, slope, curve, strict=True):
        logarithm = logarithm + s * axis + c * axis**2
    logarithm -= logarithm.mean()
    return np.exp(strength * logarithm / np.abs(logarithm).max())


def rician(rng: np.random.Generator, image: np.ndarray, sigma: float) -> np.ndarray:
    """Return the magnitude of ``image`` plus complex Gaussian noise, as MRI has it."""
    return np.hypot(image + rng.normal(0, sigma, image.shape), rng.normal(0, sigma, image.shape))


def wobble(rng: np.random.Generator, angle: np.ndarray, strength: float) -> np.ndarray:
    """Return a factor around 1 that varies smoothly with ``angle`` (radians): the irregularity of a contour."""
    factor = np.ones_like(angle)
    for order in (2, 3, 4):
        factor += strength / order * rng.uniform(0.3, 1) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return factor


def ellipse(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], axes: tuple[float, float]) -> np.ndarray:
    """Return where the normalised radius about ``centre`` with half-``axes`` is below 1 (boolean)."""
    return ((x - centre[0]) / axes[0]) ** 2 + ((y - centre[1]) / axes[1]) ** 2 < 1


def grid_mm(shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> list[np.ndarray]:
    """Return the coordinates of the voxels along each axis about the centre, in mm, as a sparse grid."""
    axes = [(np.arange(size) - (size - 1) / 2) * step for size, step in zip(shape, spacing_mm, strict=True)]
    return np.meshgrid(*axes, indexing="ij", sparse=True)
