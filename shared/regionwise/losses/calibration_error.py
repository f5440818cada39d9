"""Average calibration error as an auxiliary loss, with hard bins."""

import torch
import torch.nn.functional as F

from .base import LabelLoss, Target, at_least_float32

BINS = 20

ACE_WEIGHT = 0.3
"""Of the calibration error beside Dice and cross-entropy, as published."""


def average_calibration_error(probabilities: torch.Tensor, truth: torch.Tensor, bins: int = BINS) -> torch.Tensor:
    """Mean gap between probability and frequency over the bins that hold voxels, per image and class.

    ACE = mean over non-empty bins k of |mean probability_k - mean truth_k|, bins of equal width. Its gradient moves all
    voxels of a bin the same way, by 1 / (voxels in the bin); which bin a voxel is in has none.

    Args:
        probabilities: Float (B, C, *spatial), in [0, 1].
        truth: Float (B, C, *spatial), one-hot or soft labels.
        bins: Number of bins.

    Returns:
        (B, C), of the dtype of probabilities.

    Source: Barfoot et al., Average Calibration Error, MICCAI 2024 (hard L1-ACE), without its loop over images and
    classes.
    """
    p, y = probabilities.flatten(2), truth.flatten(2).to(probabilities)
    rows = p.shape[0] * p.shape[1]
    index = (p.detach() * bins).long().clamp_(0, bins - 1).reshape(rows, -1)
    index = (index + torch.arange(rows, device=p.device)[:, None] * bins).reshape(-1)
    gap = p.new_zeros(rows * bins).index_add(0, index, (p - y).reshape(-1)).reshape(*p.shape[:2], bins)
    count = torch.bincount(index, minlength=rows * bins).reshape(*p.shape[:2], bins)
    filled = count > 0
    return (gap.abs() / count.clamp(min=1)).sum(2) / filled.sum(2).clamp(min=1)


class CalibrationErrorLoss(LabelLoss):
    """Mean `average_calibration_error` over the images and classes whose class is in the image; 0 if none is.

    To be added to another loss: Dice, cross-entropy and 0.3 of this, say. Alone it trains nothing: frequencies that do
    not depend on the voxel are calibrated. MONAI 1.6.1 has the metric (`CalibrationErrorMetric`) and no loss.

    Args:
        soft: Whether targets are soft labels, see `LabelLoss`.
    """

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        logits = at_least_float32(logits)
        truth = prepared.truth if prepared.soft else F.one_hot(prepared.truth, logits.shape[1]).movedim(-1, 1)
        present = truth.flatten(2).sum(2) > 0
        errors = average_calibration_error(logits.softmax(1), truth)
        return (errors * present).sum() / present.sum().clamp(min=1)
