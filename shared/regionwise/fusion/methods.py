"""Fusion of several raters' label maps of one case by any method; drawing one, and signed distances."""

import zlib
from collections.abc import Sequence

import numpy as np
import torch

from ..errors import InputError, did_you_mean
from ..labels import as_labels, as_spacing
from ..maps import batch_map
from ..metrics import image_diagonal_mm
from .staple import staple
from .voting import average_raters, majority_vote

METHODS = ("majority", "average", "random", "staple", "distance")


def fuse_raters(
    raters: np.ndarray,
    method: str = "majority",
    num_classes: int | None = None,
    spacing_mm: Sequence[float] | None = None,
    case_id: str = "",
    epoch: int = 0,
    seed: int = 0,
) -> np.ndarray:
    """Fuse the label maps of several raters.

    Args:
        raters: (K, *spatial) integers >= 0, 2-D or 3-D, one label map per rater.
        method: "majority" (`majority_vote`), "average" (`average_raters`), "random" (the map of `draw_rater`),
            "staple" (`staple`; needs SimpleITK) or "distance" (`mean_signed_distance`).
        num_classes: C, for "average"; by default the largest label and 1.
        spacing_mm: voxel size along each axis, for "distance"; None means 1 along each.
        case_id: for "random": the case.
        epoch: for "random": the epoch.
        seed: for "random": the seed.

    Returns:
        Labels (*spatial) of the raters' type; for "average" float32 (C, *spatial).

    Raises:
        InputError: If the method is unknown, raters are no label maps of one shape, or SimpleITK is missing.
    """
    if method not in METHODS:
        raise InputError(f"Unknown fusion method '{method}'; {did_you_mean(method, METHODS)}")
    raters = as_rater_labels(raters)
    if method == "average":
        return average_raters(raters, num_classes)
    if method == "random":
        return raters[draw_rater(len(raters), case_id, epoch, seed)].copy()
    if method == "distance":
        return mean_signed_distance(raters, spacing_mm)
    return majority_vote(raters) if method == "majority" else staple(raters)


def as_rater_labels(raters: np.ndarray) -> np.ndarray:
    """Convert the label maps of several raters to integers.

    Raises:
        InputError: If they are not (K, *spatial) with K >= 1 and 2 or 3 spatial axes, or no labels.
    """
    if not isinstance(raters, np.ndarray) or raters.ndim not in (3, 4) or not len(raters):
        found = raters.shape if isinstance(raters, np.ndarray) else type(raters).__name__
        raise InputError(f"expected label maps (raters, *spatial) with 2 or 3 spatial axes, got {found}")
    return as_labels(raters)


def draw_rater(number: int, case_id: str, epoch: int = 0, seed: int = 0) -> int:
    """Index of a rater drawn for a case and an epoch: the same in every process, for every slice and patch of the case.

    Args:
        number: K, of raters.
        case_id: the case.
        epoch: number of finished epochs; each epoch draws anew.
        seed: of the run.
    """
    return int(np.random.default_rng([seed, epoch, zlib.crc32(case_id.encode())]).integers(number))


def mean_signed_distance(raters: np.ndarray, spacing_mm: Sequence[float] | None = None) -> np.ndarray:
    """Label map between those of the raters: at each voxel the label whose mean signed distance is smallest.

    The signed distance of a label is that to its boundary in mm, negative inside (shape-based averaging). A label that
    a rater did not use is as far away as the image's diagonal. Only labels that a rater gave at the voxel are
    considered; where they tie, the smallest is taken.

    Args:
        raters: (K, *spatial) integers >= 0.
        spacing_mm: voxel size along each axis; None means 1 along each.

    Returns:
        Labels (*spatial), of the raters' type.

    Source: Rohlfing & Maurer 2007, with the distances of each rater weighted alike.
    """
    spacing = as_spacing(spacing_mm, raters.ndim - 1)
    far = float(image_diagonal_mm(raters.shape[1:], spacing))
    winner, least = raters[0].copy(), np.full(raters.shape[1:], np.inf, np.float32)
    for label in np.unique(raters):
        total = np.zeros(raters.shape[1:], np.float32)
        for rater in raters:
            total += _signed_distance(rater == label, spacing, far)
        nearer = (total < least) & (raters == label).any(0)
        winner[nearer], least[nearer] = label, total[nearer]
    return winner


def _signed_distance(mask: np.ndarray, spacing: Sequence[float], far: float) -> np.ndarray | float:
    if not mask.any() or mask.all():
        return -far if mask.all() else far
    labels = torch.from_numpy(np.ascontiguousarray(mask).view(np.uint8))[None]
    return batch_map(labels, 2, "boundary", spacing)[0, 1].numpy()
