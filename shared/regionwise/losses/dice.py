"""Dice losses with settings for what is summed together and for absent classes."""

from collections.abc import Mapping

import torch

from .overlap import OverlapLoss
from .overlap_sums import OverlapSums
from .pixelwise import CrossEntropyLoss
from .summed import SummedLoss

_GUARD = 1e-6
"""Added to denominators: the published loss's, and what keeps 0 / 0 apart."""


class DiceLoss(OverlapLoss):
    """Soft Dice loss over all classes, background included.

    L = 1 - mean over groups of (2 sum p t + epsilon) / (sum (p + t) + epsilon + 1e-6)

    with t the one-hot form of the labels and, by default, a group per image and class. There a class absent from an
    image has term 0, whatever is predicted: loss 1, and no gradient. `regionwise.losses.PRESETS` has settings for
    classes that are not annotated (``missing_labels``) and for those whose absence is to be learned (``empty_labels``).

    Of soft labels this is the usual generalization, sum p t, which is smallest at hard predictions and not at p = t;
    `DiceSemimetricLoss` is smallest there.

    Args:
        reduce: as in `OverlapLoss`.
        epsilon: as in `OverlapLoss`.
        present_only: as in `OverlapLoss`.
        include_background: as in `OverlapLoss`.
        soft: as in `OverlapLoss`.

    Examples:
        >>> import torch
        >>> from regionwise.losses import PRESETS, DiceLoss
        >>> labels = torch.zeros(1, 1, 2, 2)  # class 1 is absent
        >>> logits = torch.zeros(1, 2, 2, 2, requires_grad=True)
        >>> round(DiceLoss()(logits, labels).item(), 3)  # 1 - (4 / 6 + 0) / 2
        0.667
        >>> DiceLoss(**PRESETS["missing_labels"])(logits, labels).item()
        0.0
        >>> round(DiceLoss(epsilon=2.0)(logits, labels).item(), 3)  # 1 - (6 / 8 + 2 / 4) / 2
        0.375
    """

    @property
    def wanted(self) -> Mapping[str, bool]:
        """The overlap alone."""
        return {"distance": False}

    def group_losses(self, sums: OverlapSums) -> torch.Tensor:
        """Compute 1 - Dice of each group."""
        total = sums.predicted + sums.volume + (self.epsilon + _GUARD)
        return 1 - (2 * sums.overlap + self.epsilon) / total


class DiceCELoss(SummedLoss):
    """Sum of `DiceLoss` and `CrossEntropyLoss`.

    Args:
        soft: whether targets are soft labels, see `LabelLoss`.
    """

    def __init__(self, soft: bool = False) -> None:
        super().__init__([DiceLoss(soft=soft), CrossEntropyLoss(soft)], [1.0, 1.0])
