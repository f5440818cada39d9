"""Base class of the losses of overlap: which voxels are summed together, and what an absent class teaches."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import InputError, did_you_mean
from .base import LabelLoss, Target, at_least_float32
from .overlap_sums import OverlapSums, overlap_sums

REDUCTIONS: Mapping[str, tuple[int, ...]] = {"image": (), "class": (1,), "batch": (0,), "all": (0, 1)}
"""Axes of the sums (B, C) that are summed on, by name."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "missing_labels": {"reduce": "image", "epsilon": 0.0, "present_only": True, "include_background": False},
    # 100 voxels are this project's choice, of the order of a small structure: the paper's own value is another.
    "empty_labels": {"reduce": "batch", "epsilon": 100.0},
}
"""Settings for training data with classes that are not annotated, and with classes that are known to be absent."""


class OverlapLoss(LabelLoss):
    """Mean over groups of voxels of 1 - overlap.

    Args:
        reduce: the voxels that make one group (Phi), whose sums are taken together:

            - "image": those of one image and class;
            - "class": those of one image, over all classes;
            - "batch": those of one class, over the images of the batch;
            - "all": those of the batch.
        epsilon: number of voxels added to numerator and denominator of each overlap. In a group without the class, the
            gradient on false positives is epsilon / (P + epsilon)^2 with P their number: 0 for epsilon = 0, so that a
            class that is not annotated teaches nothing; large for epsilon like the class's volume, so that absence
            is learned.
        present_only: leave out of the mean the groups without the class; if there is no other, the loss is 0.
        include_background: let class 0 count.
        soft: whether targets are soft labels, see `LabelLoss`.

    Raises:
        InputError: If there is no such reduction, or epsilon is negative.

    Source: Tilborghs, Bertels et al. 2022, for Phi and epsilon.
    """

    def __init__(
        self,
        reduce: str = "image",
        epsilon: float = 0.0,
        present_only: bool = False,
        include_background: bool = True,
        soft: bool = False,
    ) -> None:
        super().__init__(soft)
        if reduce not in REDUCTIONS:
            raise InputError(f"Unknown reduction '{reduce}'; {did_you_mean(reduce, REDUCTIONS)}")
        if not 0 <= epsilon < float("inf"):
            raise InputError(f"expected an epsilon >= 0 in voxels, found {epsilon}")
        self.reduce, self.epsilon = reduce, epsilon
        self.present_only, self.include_background = present_only, include_background

    @property
    def wanted(self) -> Mapping[str, bool]:
        """Which sums of soft labels `group_losses` needs beside the sizes, see `overlap_sums`."""
        return {}

    @abstractmethod
    def group_losses(self, sums: OverlapSums) -> torch.Tensor:
        """Compute 1 - overlap of each group from its sums."""

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        sums = overlap_sums(at_least_float32(logits), prepared, **self.wanted)
        if not self.include_background:
            sums = OverlapSums(*(values[:, 1:] for values in sums))
        axes = REDUCTIONS[self.reduce]
        if axes:
            sums = OverlapSums(*(values.sum(axes) for values in sums))
        losses = self.group_losses(sums)
        if not self.present_only:
            return losses.mean()
        present = sums.volume > 0
        return torch.where(present, losses, 0).sum() / present.sum().clamp(min=1)
