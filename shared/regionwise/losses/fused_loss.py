"""Sums over the true class that every rectified region-wise loss comes down to, each as one autograd function."""

from typing import Any

import torch
from torch.autograd.function import FunctionCtx

_ONCE = (
    "the region-wise loss of a rectified map can be differentiated once only; "
    "RegionWiseLoss(target='map') with region_wise_map can be differentiated twice"
)


class _TrueClassSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        probabilities = torch.softmax(logits, 1)
        weighted = probabilities.gather(1, labels).mul_(weights)
        ctx.save_for_backward(probabilities, labels, weighted)
        return weighted.sum()

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        if torch.is_grad_enabled():  # create_graph=True: the result would pass for a constant
            raise RuntimeError(_ONCE)
        # d/dy_c sum_i w p_true = w p_true (1[c = true] - p_c)
        probabilities, labels, weighted = ctx.saved_tensors
        scale = weighted * grad_output
        gradient = probabilities * -scale
        return gradient.scatter_add_(1, labels, scale), None, None


class _BoxCoxSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, q: float
    ) -> torch.Tensor:
        log_p = torch.log_softmax(logits, 1)
        scaled = log_p.gather(1, labels).mul_(q)
        ctx.save_for_backward(log_p, labels, scaled.exp().mul_(weights))
        return scaled.expm1_().mul_(weights).sum().div_(-q)

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        if torch.is_grad_enabled():
            raise RuntimeError(_ONCE)
        # d/dy_c sum_i w (1 - p_true^q) / q = w p_true^q (p_c - 1[c = true])
        log_p, labels, weighted = ctx.saved_tensors
        scale = weighted * grad_output
        return log_p.exp().mul_(scale).scatter_add_(1, labels, -scale), None, None, None


def true_class_sum(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sum of the softmax probabilities of the true class: sum_i w_i p_i.

    Needs no one-hot tensor and no map of C channels, and keeps one softmax for the backward pass. It can be
    differentiated once.

    Args:
        logits: (B, C, *spatial), float32 or float64.
        labels: int64 (B, *spatial), values from 0 to C - 1.
        weights: (B, *spatial), floating; not differentiated.

    Returns:
        A scalar tensor of the logits' type.
    """
    return _TrueClassSum.apply(logits, labels[:, None], weights[:, None].to(logits.dtype))


def box_cox_sum(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, q: float) -> torch.Tensor:
    """Weighted sum of the Box-Cox transform of the true class's probability: sum_i w_i (1 - p_i^q) / q.

    Computed from log-probabilities, so that it neither loses a voxel whose probability underflows nor divides a
    rounding error by a small q. It can be differentiated once.

    Args:
        logits: (B, C, *spatial), float32 or float64.
        labels: int64 (B, *spatial), values from 0 to C - 1.
        weights: (B, *spatial), floating; not differentiated.
        q: exponent, above 0.

    Returns:
        A scalar tensor of the logits' type.
    """
    return _BoxCoxSum.apply(logits, labels[:, None], weights[:, None].to(logits.dtype), q)
