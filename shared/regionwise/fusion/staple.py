"""STAPLE: simultaneous estimation of the truth and of each rater's performance, by SimpleITK."""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..metrics import bounding_box
from .voting import majority_vote

_ROUNDS = 20
_CHANGE = 1e-3
MARGIN = 2
"""Voxels around the union of all raters' structures that take part. Where most of an image is background, specificities
are all 1 and STAPLE comes to favor the union (Warfield et al. 2004 take a region of interest for that reason)."""


class Performance(NamedTuple):
    """Performance of the raters at one structure, estimated by STAPLE.

    Attributes:
        sensitivity: share of the structure's voxels that each rater gave, (K,).
        specificity: share of the other voxels of the cropped box that each rater left out, (K,).
        probability: that a voxel belongs to the structure, float32 (*spatial); 0 outside the box.
    """

    sensitivity: np.ndarray
    specificity: np.ndarray
    probability: np.ndarray


def staple(raters: np.ndarray) -> np.ndarray:
    """Label map that STAPLE estimates, within the box that holds all raters' structures and a margin of 2 voxels.

    Two labels: the probability of the structure, at least 1/2. More: multi-label STAPLE. Both are repeated with the
    share of each label in the estimate as its prior, until that no longer changes: the raters' own shares, which STAPLE
    starts from, are too large for structures where raters are careless. A voxel that is left undecided, or gets a label
    that no rater gave there, takes the majority's label.

    Args:
        raters: (K, *spatial) integers >= 0, 2-D or 3-D.

    Returns:
        Labels (*spatial), of the raters' type.

    Raises:
        InputError: If SimpleITK is not installed.

    Source: Warfield et al. 2004; Rohlfing et al. 2003 for several labels.
    """
    present = np.unique(raters)
    if len(present) == 1:
        return raters[0].copy()
    result = majority_vote(raters)
    if len(present) == 2:
        estimate = np.where(estimate_performance(raters == present[1]).probability >= 0.5, present[1], present[0])
        return _where_given(raters, estimate, result)
    box = union_box(raters)
    cropped = raters[(slice(None), *box)]
    codes = _multi_label(np.searchsorted(present, cropped).astype(np.uint16), len(present))
    result[box] = _where_given(cropped, np.append(present, present.max() + 1)[codes], result[box])
    return result


def _multi_label(codes: np.ndarray, number: int) -> np.ndarray:
    """Estimate codes from 0 to number - 1, of undecided voxels ``number``, from those of each rater."""
    sitk = _simple_itk()
    images, previous = [sitk.GetImageFromArray(one) for one in codes], None
    staple_filter = sitk.MultiLabelSTAPLEImageFilter()
    # Set, because SimpleITK's own choice would look like a class: `staple` gives these voxels the majority's label.
    staple_filter.SetLabelForUndecidedPixels(number)
    for _ in range(_ROUNDS):
        fused = sitk.GetArrayFromImage(staple_filter.Execute(images))
        if previous is not None and np.array_equal(fused, previous):
            break
        previous = fused
        shares = np.bincount(fused.ravel(), minlength=number)[:number] / fused.size
        shares = np.maximum(shares, 1 / fused.size)
        staple_filter.SetPriorProbabilities((shares / shares.sum()).tolist())
    return fused


def estimate_performance(masks: np.ndarray) -> Performance:
    """Estimate each rater's sensitivity and specificity at one structure, and the structure itself (binary STAPLE).

    Args:
        masks: (K, *spatial) bool, one mask per rater.

    Returns:
        The estimate within the box that holds all masks and a margin of 2 voxels, with the prior of `staple`; where all
        masks are empty, NaN and probability 0.

    Raises:
        InputError: If SimpleITK is not installed.
    """
    number, probability = len(masks), np.zeros(masks.shape[1:], np.float32)
    box = union_box(masks)
    if not masks.any():
        return Performance(np.full(number, np.nan), np.full(number, np.nan), probability)
    sitk = _simple_itk()
    staple_filter = sitk.STAPLEImageFilter()
    staple_filter.SetForegroundValue(1)
    cropped = masks[(slice(None), *box)].astype(np.uint8)
    images, weight, votes = [sitk.GetImageFromArray(one) for one in cropped], 1.0, float(cropped.mean())
    for _ in range(_ROUNDS):
        staple_filter.SetConfidenceWeight(weight)  # a factor on the prior, which is the share of the raters' own votes
        probability[box] = sitk.GetArrayFromImage(staple_filter.Execute(images))
        # Short of a prior of 0 or 1, with which SimpleITK divides 0 by 0.
        previous, weight = weight, float(np.clip(probability[box].mean(), 1e-3, 0.999)) / votes
        if abs(weight - previous) < _CHANGE:
            break
    sensitivity, specificity = staple_filter.GetSensitivity(), staple_filter.GetSpecificity()
    return Performance(np.array(sensitivity), np.array(specificity), probability)


def union_box(raters: np.ndarray, margin: int = MARGIN) -> tuple[slice, ...]:
    """Box that holds every voxel with a label in any rater's map, and a margin where the image has room for it."""
    box = bounding_box(np.asarray(raters.astype(bool).any(0)))
    sizes = raters.shape[1:]
    return tuple(
        slice(max(0, side.start - margin), min(size, side.stop + margin)) for side, size in zip(box, sizes, strict=True)
    )


def _where_given(raters: np.ndarray, estimate: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Return the estimate where a rater gave that label, else the other label map."""
    return np.where((raters == estimate).any(0), estimate, otherwise).astype(raters.dtype)


def _simple_itk() -> ModuleType:
    try:
        import SimpleITK
    except ImportError:
        raise InputError(
            "STAPLE needs SimpleITK, which is not installed: pip install SimpleITK (or regionwise[raters]), or choose "
            "another method"
        ) from None
    return SimpleITK
