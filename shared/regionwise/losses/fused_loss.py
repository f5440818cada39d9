"""The sum that every rectified region-wise loss comes down to, as one autograd function."""

import torch
from torch.autograd.function import FunctionCtx


class _OwnClassSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        probabilities = torch.softmax(logits, 1)
        weighted = probabilities.gather(1, labels).mul_(weights)
        ctx.save_for_backward(probabilities, labels, weighted)
        return weighted.sum()

    @staticmethod
    def backward(ctx: FunctionCtx, grad_output: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        if torch.is_grad_enabled():  # create_graph=True: the result would pass for a constant
            raise RuntimeError(
                "the region-wise loss of a rectified map can be differentiated once only; "
                "RegionWiseLoss(target='map') with region_wise_map can be differentiated twice"
            )
        # d/dy_c sum_i w_i p_own = w p_own (1[c = own] - p_c)
        probabilities, labels, weighted = ctx.saved_tensors
        scale = weighted * grad_output
        gradient = probabilities * -scale
        return gradient.scatter_add_(1, labels, scale), None, None


def own_class_sum(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return sum_i w_i p_i, with p_i the softmax probability of voxel i's own class.

    Needs no one-hot tensor and no map of C channels, and keeps one softmax for the backward pass. It can be
    differentiated once.

    Args:
        logits: (B, C, *spatial), float32 or float64.
        labels: int64 (B, *spatial), values from 0 to C - 1.
        weights: (B, *spatial), floating; not differentiated.

    Returns:
        A scalar tensor of the logits' type.
    """
    return _OwnClassSum.apply(logits, labels[:, None], weights[:, None].to(logits.dtype))
