"""Agreement of the members of an ensemble over whole structures, and the confidence of a single model."""

from collections.abc import Sequence

import numpy as np
import torch

from ..errors import InputError
from ..metrics.calibration import SMALLEST, confidence_of_sums

# Float32 counts whole numbers up to 2^24; a product over more voxels would lose some.
_AT_ONCE = 1 << 22


def label_overlaps(members: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Count the voxels that each pair of members has in common, per structure.

    The counts of the parts of a volume add up to those of the volume.

    Args:
        members: Integer tensor (M, *spatial), the label maps of M members.
        num_classes: C, with the background.

    Returns:
        int64 (C - 1, M, M): [c, i, j] is |A_i ∩ A_j| of structure c + 1; the diagonal holds the sizes.
    """
    flat = members.reshape(len(members), -1)
    overlaps = torch.zeros(num_classes - 1, len(members), len(members), dtype=torch.int64)
    for start in range(0, flat.shape[1], _AT_ONCE):
        part = flat[:, start : start + _AT_ONCE]
        for label in range(1, num_classes):
            mask = (part == label).float()
            overlaps[label - 1] += (mask @ mask.T).cpu().long()
    return overlaps


def pairwise_dice(overlaps: torch.Tensor) -> np.ndarray:
    """Mean Dice of all pairs of members, per structure: mean_{i<j} 2|A_i ∩ A_j| / (|A_i| + |A_j|).

    Both members empty: 1; one empty: 0, as in the metrics. One member agrees with itself, which says nothing: NaN.

    Args:
        overlaps: int64 (C - 1, M, M), see `label_overlaps`.

    Returns:
        float64 (C - 1,), from 0 to 1.

    Raises:
        InputError: If the shape is another.

    Source: Zenk et al., Medical Image Analysis 2025: the best detector of failures on five 3-D data sets.

    Examples:
        >>> members = torch.tensor([[0, 1, 1, 2], [0, 1, 0, 2], [0, 1, 1, 0]])
        >>> pairwise_dice(label_overlaps(members, 3)).round(3).tolist()
        [0.778, 0.333]
    """
    if overlaps.ndim != 3 or overlaps.shape[1] != overlaps.shape[2]:
        raise InputError(f"expected overlaps of shape (structures, M, M), found {tuple(overlaps.shape)}")
    counts = overlaps.double().numpy()
    size = np.diagonal(counts, axis1=1, axis2=2)
    first, second = np.triu_indices(counts.shape[1], k=1)
    if not len(first):
        return np.full(len(counts), np.nan)
    total = size[:, first] + size[:, second]
    dice = np.where(total > 0, 2 * counts[:, first, second] / np.maximum(total, 1), 1.0)
    return dice.mean(1)


def soft_dice_confidence(probabilities: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    """Soft Dice confidence per structure: 2 sum_{i in A} p_i / (sum_i p_i + |A|), the Dice that the model expects.

    A structure that is not predicted gets prod_i (1 - p_i): the probability, were voxels independent, that it is
    absent, in which case its Dice is 1.

    Args:
        probabilities: Float tensor (C, *spatial), in [0, 1], the background first. It ranks cases well only if it is
            calibrated.
        labels: Integer tensor (*spatial), the predicted labels.

    Returns:
        float64 (C - 1,), from 0 to 1.

    Raises:
        InputError: If the shapes differ.

    Source: Borges et al., Soft Dice Confidence, arXiv 2402.10665.

    Examples:
        >>> p = torch.tensor([0.9, 0.6, 0.1, 0.0])
        >>> round(soft_dice_confidence(torch.stack([1 - p, p]), torch.tensor([1, 1, 0, 0])).item(), 4)
        0.8333
    """
    if probabilities.shape[1:] != labels.shape:
        raise InputError(
            f"expected labels of shape {tuple(probabilities.shape[1:])}, as the probabilities, "
            f"found {tuple(labels.shape)}"
        )
    return confidence_of_sums(*soft_dice_sums(probabilities, labels).T)


def soft_dice_sums(probabilities: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    """Sums that `regionwise.metrics.confidence_of_sums` needs; those of the parts of a volume add up.

    Args:
        probabilities: See `soft_dice_confidence`.
        labels: See `soft_dice_confidence`.

    Returns:
        float64 (C - 1, 4): sum of p inside, sum of p, number of voxels inside, sum of ln(1 - p).
    """
    rows = []
    for label, p in enumerate(probabilities[1:], start=1):
        inside = labels == label
        absent = torch.log1p(-p.clamp(max=1 - SMALLEST)).sum(dtype=torch.float64)
        rows.append([p[inside].sum(dtype=torch.float64), p.sum(dtype=torch.float64), inside.sum(), absent])
    return np.array(rows, dtype=np.float64)


def volume_interval(volumes_ml: Sequence[float] | np.ndarray, share: float = 0.9) -> tuple[float, float, float | None]:
    """Interval and coefficient of variation of a structure's volume over members.

    Args:
        volumes_ml: One volume per member, in ml.
        share: Share of the members that the interval holds: 0.9 gives the 5 % and 95 % quantiles.

    Returns:
        Lower and upper end in ml, and SD / mean; None where it does not exist (mean 0, or a single member).

    Raises:
        InputError: If there is no volume.

    Examples:
        >>> volume_interval([1.0, 2.0, 3.0], share=1)
        (1.0, 3.0, 0.5)
        >>> volume_interval([0.0, 0.0])
        (0.0, 0.0, None)
    """
    volumes = np.asarray(volumes_ml, np.float64)
    if not volumes.size:
        raise InputError("expected the volume of at least one member, found none")
    low, high = np.quantile(volumes, ((1 - share) / 2, (1 + share) / 2))
    mean = volumes.mean()
    variation = float(volumes.std(ddof=1) / mean) if mean > 0 and len(volumes) > 1 else None
    return float(low), float(high), variation
