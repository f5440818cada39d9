"""Lovász-softmax loss: the convex extension of the Jaccard loss."""

import torch
from torch.nn.functional import one_hot

from .base import LabelLoss, Target, at_least_float32


class LovaszLoss(LabelLoss):
    """Lovász-softmax loss: mean over images and their classes of the Lovász extension of 1 - Jaccard.

    L_c = sum_k e_k (J_k - J_{k-1}), with e the errors |t - p| of class c in falling order and J_k the loss 1 - Jaccard
    if the k voxels with the largest errors were wrong and all others right. For predictions of 0 and 1 it is
    1 - Jaccard. Classes that an image does not hold are left out. Of soft labels it is 0 at p = t, as is
    `JaccardMetricLoss`, which sorts nothing.

    Args:
        soft: whether targets are soft labels, see `LabelLoss`.

    Source: Berman, Rannen Triki & Blaschko 2018, with one mean per image.

    Examples:
        >>> import torch
        >>> from regionwise.losses import LovaszLoss
        >>> sure = 50 * torch.tensor([[[[-1.0, 1, 1, 1]], [[1, -1, -1, -1]]]])  # predicts 1 0 0 0
        >>> round(LovaszLoss()(sure, torch.tensor([[[[1, 1, 0, 0]]]])).item(), 4)  # (1/2 + 1/3) / 2
        0.4167
    """

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        logits = at_least_float32(logits)
        truth = prepared.truth if prepared.soft else one_hot(prepared.truth, logits.shape[1]).movedim(-1, 1)
        truth = truth.flatten(2).double()  # a step of J is 1 / N: float32 would round it away
        errors, order = (truth.to(logits.dtype) - torch.softmax(logits, 1).flatten(2)).abs().sort(2, descending=True)
        ranked, volume = truth.gather(2, order), truth.sum(2, keepdim=True)
        union = volume + (1 - ranked).cumsum(2)
        losses = 1 - (volume - ranked.cumsum(2)) / union.clamp(min=torch.finfo(torch.double).tiny)
        steps = torch.diff(losses, dim=2, prepend=torch.zeros_like(volume)).to(logits.dtype)
        present = volume[:, :, 0] > 0
        return ((errors * steps).sum(2) * present).sum() / present.sum().clamp(min=1)
