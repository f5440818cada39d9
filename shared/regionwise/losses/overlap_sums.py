"""Sums over the voxels of an image that overlap losses come down to, each as one autograd function."""

from typing import Any, NamedTuple

import torch
from torch.autograd.function import FunctionCtx

from .base import Target

_ONCE = "an overlap loss can be differentiated once only; monai.losses.DiceLoss can be differentiated twice"


class OverlapSums(NamedTuple):
    """Sums over the voxels of each image and class; with p the probabilities and t the (soft) one-hot labels.

    Attributes:
        predicted: sum p, (B, C).
        volume: sum t, (B, C), without gradient.
        overlap: sum p t, (B, C).
        distance: sum |p - t|, (B, C).
    """

    predicted: torch.Tensor
    volume: torch.Tensor
    overlap: torch.Tensor
    distance: torch.Tensor


class _HardSums(torch.autograd.Function):
    """sum p and sum p t of labels: without a one-hot tensor."""

    @staticmethod
    def forward(ctx: FunctionCtx, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        p = torch.softmax(logits, 1).flatten(2)
        labels = labels.flatten(1)
        # One pass per class: sums by scatter_add run one after another and lose digits in large volumes.
        masks = [labels == c for c in range(p.shape[1])]
        overlap = torch.stack([(p[:, c] * mask).sum(1) for c, mask in enumerate(masks)], 1)
        volume = torch.stack([mask.sum(1) for mask in masks], 1).to(p.dtype)
        ctx.save_for_backward(p, labels[:, None])
        ctx.mark_non_differentiable(volume)
        ctx.shape = logits.shape  # type: ignore[attr-defined]
        return p.sum(2), overlap, volume

    @staticmethod
    def backward(ctx: Any, to_predicted: torch.Tensor, to_overlap: torch.Tensor, _: Any) -> tuple[torch.Tensor, None]:
        if torch.is_grad_enabled():  # create_graph=True: the result would pass for a constant
            raise RuntimeError(_ONCE)
        p, labels = ctx.saved_tensors
        # dL/dp_c = a_c + b_true [c = true]; the softmax gives p_c (dL/dp_c - sum_k p_k dL/dp_k)
        of_true = p.gather(1, labels).mul_(to_overlap[:, :, None].expand_as(p).gather(1, labels))
        mean = torch.bmm(to_predicted[:, None], p).add_(of_true)
        gradient = (to_predicted[:, :, None] - mean).mul_(p).scatter_add_(1, labels, of_true)
        return gradient.view(ctx.shape), None


class _SoftSums(torch.autograd.Function):
    """sum p, sum p t and sum |p - t| of the softmax p and soft labels t, the last two if they are wanted."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, p: torch.Tensor, t: torch.Tensor, volume: torch.Tensor, overlap: bool, distance: bool
    ) -> tuple[torch.Tensor | None, ...]:
        ctx.save_for_backward(p, t)
        ctx.set_materialize_grads(False)
        predicted = p.sum(2)
        # |p - t| = 2 max(p, t) - p - t: one pass instead of three. At p = t all three sums are equal to the last bit.
        apart = (2 * torch.maximum(p, t).sum(2) - predicted - volume).clamp_(min=0) if distance else None
        return predicted, (p * t).sum(2) if overlap else None, apart

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(_ONCE)
        p, t = ctx.saved_tensors
        to_predicted, to_overlap, to_distance = (None if g is None else g[:, :, None] for g in gradients)
        if to_distance is not None:
            total = torch.sub(p, t).sign_().mul_(to_distance)  # sign(0) = 0
            if to_overlap is not None:
                total.addcmul_(t, to_overlap)
        else:
            total = torch.zeros_like(p) if to_overlap is None else t * to_overlap
        if to_predicted is not None:
            total.add_(to_predicted)
        return total, None, None, None, None


def overlap_sums(logits: torch.Tensor, target: Target, overlap: bool = True, distance: bool = True) -> OverlapSums:
    """Sums over each image and class of p, t, p t and |p - t|, with p the softmax of the logits.

    They can be differentiated once. At p = t the gradient of the distance is 0, the middle of its subgradients.

    Args:
        logits: (B, C, *spatial), float32 or float64.
        target: labels or soft labels.
        overlap: whether sum p t of soft labels is wanted; else it is NaN.
        distance: whether sum |p - t| of soft labels is wanted; else it is NaN.
    """
    if target.soft:
        truth = target.truth.to(logits.dtype).flatten(2)
        volume = truth.sum(2)
        p = torch.softmax(logits, 1).flatten(2)
        predicted, common, apart = _SoftSums.apply(p, truth, volume, overlap, distance)
        unknown = torch.full_like(volume, torch.nan)
        return OverlapSums(
            predicted, volume, unknown if common is None else common, unknown if apart is None else apart
        )
    predicted, common, volume = _HardSums.apply(logits, target.truth)
    return OverlapSums(predicted, volume, common, predicted + volume - 2 * common)
