"""Masks that the tests of several metrics share."""

import numpy as np
from scipy import ndimage


def mask_of(shape: tuple[int, ...], *boxes: tuple) -> np.ndarray:
    """Return a mask with the given boxes (an index each: numbers or slices) set."""
    mask = np.zeros(shape, bool)
    for box in boxes:
        mask[box] = True
    return mask


def blob(seed: int, shape: tuple[int, ...] = (24, 30, 12)) -> np.ndarray:
    """Return a rough, possibly split mask that may touch the border of the array."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return field > 0.04
