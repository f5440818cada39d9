"""Dice semimetric and Jaccard metric losses: overlap losses that are smallest at p = t, also for soft labels."""

from abc import abstractmethod
from collections.abc import Mapping

import torch

from ..errors import InputError
from .overlap import OverlapLoss
from .overlap_sums import OverlapSums

_SMALL = 1e-6
CE_WEIGHT = 0.25
"""Weight of cross-entropy beside a semimetric loss, which has 0.75: those of the published configurations."""


class SemimetricLoss(OverlapLoss):
    """Base of the losses 1 - overlap that are 0 exactly at p = t.

    Args:
        version: 1 or 2, the form of the overlap.
        reduce: as in `OverlapLoss`.
        epsilon: as in `OverlapLoss`; 2 in published configurations, which call half of it ``smooth``.
        present_only: as in `OverlapLoss`.
        include_background: as in `OverlapLoss`.
        soft: as in `OverlapLoss`.

    Raises:
        InputError: If there is no such version or reduction, or epsilon is negative.
    """

    def __init__(
        self,
        version: int = 1,
        reduce: str = "image",
        epsilon: float = _SMALL,
        present_only: bool = False,
        include_background: bool = True,
        soft: bool = False,
    ) -> None:
        super().__init__(reduce, epsilon, present_only, include_background, soft)
        if version not in (1, 2):
            raise InputError(f"expected version 1 or 2 of {type(self).__name__}, found {version}")
        self.version = version

    @property
    def wanted(self) -> Mapping[str, bool]:
        """Version 1 needs no overlap."""
        return {"overlap": self.version == 2}

    @abstractmethod
    def parts(self, sums: OverlapSums) -> tuple[torch.Tensor, torch.Tensor]:
        """Return numerator and denominator of the loss of each group, without epsilon."""

    def group_losses(self, sums: OverlapSums) -> torch.Tensor:
        """Compute 1 - overlap of each group, as a distance over a size: 0 to the last bit at p = t."""
        distance, size = self.parts(sums)
        if self.epsilon:
            return distance / (size + self.epsilon)
        # Without epsilon an absent class has loss 1; divided, rounding would leave it a gradient.
        present = sums.volume > 0
        return torch.where(present, distance / torch.where(present, size, 1), 1)


class DiceSemimetricLoss(SemimetricLoss):
    """Dice semimetric loss (DML): 1 - Dice of hard labels, and of soft labels t smallest, 0, at p = t alone.

    Version 1: L = mean over groups of sum |p - t| / (sum (p + t) + epsilon)

    Version 2: L = mean over groups of sum |p - t| / (2 sum p t + sum |p - t| + epsilon)

    Both are 1 - 2 sum p t / sum (p + t) for hard labels. MONAI's `DiceLoss` is 0.789 for two equal soft masks, and
    smallest at a hard prediction.

    Source: Wang, Popordanoska, Bertels, Lemmens & Blaschko 2023.

    Examples:
        >>> import torch
        >>> from regionwise.losses import DiceSemimetricLoss
        >>> soft = torch.tensor([[[[0.75, 0.5]], [[0.25, 0.5]]]])  # (B, C, *spatial) probabilities
        >>> round(DiceSemimetricLoss(soft=True)(soft.log(), soft).item(), 6)  # softmax(log p) = p
        0.0
        >>> round(DiceSemimetricLoss()(soft.log(), torch.zeros(1, 1, 1, 2)).item(), 4)  # (0.75 / 3.25 + 1) / 2
        0.6154
    """

    def parts(self, sums: OverlapSums) -> tuple[torch.Tensor, torch.Tensor]:
        """Return numerator and denominator of 1 - Dice."""
        if self.version == 1:
            return sums.distance, sums.predicted + sums.volume
        return sums.distance, 2 * sums.overlap + sums.distance


class JaccardMetricLoss(SemimetricLoss):
    """Jaccard metric loss (JML): 1 - Jaccard of hard labels, and of soft labels t smallest, 0, at p = t alone.

    Version 1: L = mean over groups of 2 sum |p - t| / (sum (p + t) + sum |p - t| + epsilon)

    Version 2: L = mean over groups of sum |p - t| / (sum p t + sum |p - t| + epsilon)

    Source: Wang, Ning & Blaschko 2023; the base class has the arguments.

    Examples:
        >>> import torch
        >>> from regionwise.losses import JaccardMetricLoss
        >>> soft = torch.tensor([[[[0.75, 0.5]], [[0.25, 0.5]]]])
        >>> round(JaccardMetricLoss(version=2, soft=True)(soft.log(), soft).item(), 6)
        0.0
    """

    def parts(self, sums: OverlapSums) -> tuple[torch.Tensor, torch.Tensor]:
        """Return numerator and denominator of 1 - Jaccard."""
        if self.version == 1:
            return 2 * sums.distance, sums.predicted + sums.volume + sums.distance
        return sums.distance, sums.overlap + sums.distance
