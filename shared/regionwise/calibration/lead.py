"""Calibration of the lead: how sure the most probable class is of the second, as often as it was right.

One temperature cannot undo what a region-wise loss does: of voxels with a small lead half are wrong, almost whatever
the lead, while those with a large one are right. The lead m = z_1 - z_2 of the two largest logits becomes g(m), with a
rising g, and all logits of the voxel are multiplied by g(m) / m > 0: the order of the classes stays, and every label.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import isotonic_regression

from ..errors import InputError
from .scaling import SMALLEST, keep_labels

BINS = 40


@dataclass(frozen=True)
class LeadMap:
    """A rising piecewise linear function of the lead, through (0, 0).

    Attributes:
        leads: Differences of the two largest logits, rising from 0.
        values: What they are worth; beyond the last one it stays.
    """

    leads: tuple[float, ...]
    values: tuple[float, ...]

    def scale_probabilities(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Calibrate class probabilities (C, *spatial)."""
        logits = probabilities.clamp(min=SMALLEST).log()
        first, second = logits.topk(2, dim=0).values
        lead = (first - second).cpu().numpy()
        # At a lead of 0 the factor does not matter: the two are equal before and after.
        factor = np.interp(lead, self.leads, self.values) / np.maximum(lead, 1e-6)
        return keep_labels((logits * torch.as_tensor(factor).to(logits)).softmax(0), probabilities)


def fit_lead(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None, bins: int = BINS
) -> LeadMap:
    """Fit how sure a lead is: the log-odds of the most probable class among voxels of one of the two.

    Args:
        logits: Float tensor (N, C), or logarithms of probabilities.
        labels: int64 (N,), the true classes.
        weights: Float (N,), of the rows; None: all alike.
        bins: Number of bins of equal counts, whose frequencies are made to rise (pool adjacent violators).

    Raises:
        InputError: If there is no row with one of its two most probable classes.
    """
    top = logits.topk(2, dim=1)
    first, second = top.indices.T
    kept = (labels == first) | (labels == second)
    if not kept.any():
        raise InputError("expected voxels whose true class is one of the two most probable ones, found none")
    lead = (top.values[:, 0] - top.values[:, 1])[kept].double().numpy()
    right = (labels == first)[kept].double().numpy()
    share = np.ones(len(lead)) if weights is None else weights[kept].double().numpy()
    edges = np.unique(np.quantile(lead, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, lead, side="right") - 1, 0, max(len(edges) - 2, 0))
    count, mass = np.bincount(place), np.bincount(place, share)
    filled = count > 0
    count, mass = count[filled], mass[filled]
    centers, frequency = (np.bincount(place, share * one)[filled] / mass for one in (lead, right))
    # Half a voxel of either answer, so that a bin without an error is not infinitely sure.
    frequency = (frequency * count + 0.5) / (count + 1)
    # A little more than one half, so that no lead is lost and labels stay.
    rising = np.maximum(isotonic_regression(frequency, weights=mass).x, 0.501)
    values = np.log(rising / (1 - rising))
    return LeadMap((0.0, *centers.tolist()), (0.0, *values.tolist()))
