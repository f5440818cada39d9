"""Margins in mm with a guarantee: conformal risk control over patients, from one distance transform per case.

Let d_1, ..., d_m be the distances of the voxels of a patient's structure to the prediction, 0 inside it. A dilation of
the prediction by r mm misses the share L(r) = |{d > r}| / m of them, for every r at once. With n patients the margin is
the smallest r with n / (n + 1) * mean L(r) + 1 / (n + 1) <= alpha (Angelopoulos et al., ICLR 2024): the expected loss
of a further patient like these is then at most alpha. No alpha below 1 / (n + 1) can be promised.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..metrics.masks import check_masks

DEFAULT_ALPHA = 0.1
DEFAULT_INSIDE = 0.95


def distances_of_missed_mm(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Distances of the voxels of a reference to a prediction, for an outer margin.

    Args:
        prediction: Bool array, 2-D or 3-D.
        reference: Bool array of the same shape.
        spacing_mm: Voxel size along each axis, in mm.

    Returns:
        float64, one per voxel of the reference, between voxel centers, 0 inside the prediction. Empty reference: no
        distances, so nothing can be missed. Empty prediction: infinity, no dilation finds anything.

    Raises:
        InputError: If the masks are not bool or their shapes differ.

    Examples:
        >>> row = np.array([[False, True, True, True, True]])
        >>> distances_of_missed_mm(row & [True, True, True, False, False], row, (1, 2)).tolist()
        [0.0, 0.0, 2.0, 4.0]
    """
    check_masks(prediction, reference)
    if not prediction.any():
        return np.full(np.count_nonzero(reference), math.inf)
    if not reference.any():
        return np.zeros(0)
    # Only the box of both matters: the nearest voxel of the prediction lies in it.
    box = ndimage.find_objects((prediction | reference).astype(np.uint8))[0]
    distance = ndimage.distance_transform_edt(~prediction[box], sampling=tuple(spacing_mm))
    return np.asarray(distance)[reference[box]]


def depths_of_invented_mm(prediction: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Depths at which a prediction holds voxels that the reference does not, for an inner margin.

    Erosion by r keeps the voxels deeper than r; of the predicted volume it then wrongly keeps the share |{d > r}| / m.

    Args:
        prediction: Bool array, 2-D or 3-D.
        reference: Bool array of the same shape.
        spacing_mm: Voxel size along each axis, in mm.

    Returns:
        float64, one per voxel of the prediction: the distance to the nearest voxel outside the prediction where the
        reference is not, 0 where it is. Empty prediction: none. A prediction that fills the array has infinite depth.

    Raises:
        InputError: If the masks are not bool or their shapes differ.
    """
    check_masks(prediction, reference)
    if not prediction.any():
        return np.zeros(0)
    depth = depths_mm(prediction, spacing_mm)
    return np.where(reference, 0.0, depth)[prediction]


def depths_mm(mask: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Distance of each voxel of a mask to the nearest voxel outside it, in mm; 0 outside, infinity without an outside.

    What lies outside the array does not count: a structure that a scan cuts off is not eroded there.
    """
    if mask.all():
        return np.full(mask.shape, math.inf)
    return np.asarray(ndimage.distance_transform_edt(mask, sampling=tuple(spacing_mm)))


def needed_margin_mm(distances_mm: np.ndarray, inside: float = DEFAULT_INSIDE) -> float:
    """Smallest dilation after which at least the share ``inside`` of a patient's structure lies in the prediction.

    Args:
        distances_mm: Those of one patient, see `distances_of_missed_mm`; frames are put together.
        inside: Share, in (0, 1].

    Returns:
        The radius in mm; 0 for an empty structure, infinity where the prediction is empty.

    Examples:
        >>> needed_margin_mm(np.array([0.0, 0.0, 0.0, 3.0]), inside=0.75), needed_margin_mm(np.array([0.0, 3.0]), 0.75)
        (0.0, 3.0)
    """
    if not distances_mm.size:
        return 0.0
    rank = math.ceil(inside * distances_mm.size - 1e-9)
    return float(np.partition(distances_mm, rank - 1)[rank - 1])


def conformal_margin_mm(
    distances_mm: Sequence[np.ndarray], alpha: float = DEFAULT_ALPHA, inside: float | None = DEFAULT_INSIDE
) -> float:
    """Radius of a dilation with a guarantee for a further patient like those of the calibration.

    With ``inside`` the loss of a patient is 1 if less than that share of the structure lies within the margin, else 0:
    "at least 95 % of the structure inside, in 90 % of patients". Without, it is the missed share itself: "on average at
    most 10 % of the structure is missed".

    Args:
        distances_mm: One array per *patient*, see `distances_of_missed_mm`; the frames of a patient are put together,
            since they are not independent. A patient without the structure has none, cannot lose, and counts.
        alpha: Largest expected loss, at least 1 / (n + 1) with n patients.
        inside: Share of the structure that counts as all of it, in (0, 1]; None takes the missed share as the loss.

    Returns:
        The radius in mm, 0 if none is needed, infinity if none is enough (too many empty predictions).

    Raises:
        InputError: If no radius could be promised with so few patients, or a share is out of range.

    Source: Angelopoulos et al., Conformal Risk Control, ICLR 2024, equation 4.

    Examples:
        >>> patients = [np.array([0.0] * 18 + [float(number)] * 2) for number in range(1, 20)]  # 10 % at 1, 2, ... mm
        >>> conformal_margin_mm(patients, alpha=0.1)
        18.0
    """
    check_promise(len(distances_mm), alpha)
    if inside is not None and not 0 < inside <= 1:
        raise InputError(f"expected the share inside in (0, 1], got {inside:g}")
    if inside is not None:
        distances_mm = [np.array([needed_margin_mm(one, inside)]) for one in distances_mm]
    filled = [one for one in distances_mm if one.size]
    if not filled:
        return 0.0
    n = len(distances_mm)
    every = np.concatenate(filled)
    loss = np.concatenate([np.full(one.size, 1 / (n * one.size)) for one in filled])
    radii, place = np.unique(every, return_inverse=True)
    # Mean loss at radius 0 and at each radius that occurs: what lies farther away is missed.
    left = loss.sum() - np.cumsum(np.bincount(place, weights=loss))
    if radii[0] > 0:
        radii, left = np.concatenate([[0.0], radii]), np.concatenate([[loss.sum()], left])
    enough = n / (n + 1) * left + 1 / (n + 1) <= alpha + 1e-12
    return float(radii[np.argmax(enough)])


def risk_at_mm(distances_mm: np.ndarray, radius_mm: float, inside: float | None = DEFAULT_INSIDE) -> float:
    """Loss of one patient at a radius, see `conformal_margin_mm`; 0 for an empty structure."""
    if not distances_mm.size:
        return 0.0
    missed = float(np.mean(distances_mm > radius_mm))
    return missed if inside is None else float(needed_margin_mm(distances_mm, inside) > radius_mm)


def check_promise(n: int, alpha: float) -> None:
    """Refuse a level that n patients cannot give.

    Raises:
        InputError: If alpha is not in (0, 1), or below 1 / (n + 1).
    """
    if not 0 < alpha < 1:
        raise InputError(f"expected alpha in (0, 1), got {alpha:g}")
    if alpha * (n + 1) < 1 - 1e-9:
        needed = math.ceil(1 / alpha - 1e-9) - 1
        raise InputError(
            f"expected at least {needed} patients for alpha {alpha:g}, found {n}: no margin can promise less than "
            f"1 / (n + 1) = {1 / (n + 1):.3f}; add patients or raise alpha"
        )
