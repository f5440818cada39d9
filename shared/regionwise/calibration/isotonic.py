"""Isotonic calibration of each class: its probability becomes the share of voxels that were right, and labels stay."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import isotonic_regression

from ..errors import InputError
from .scaling import keep_labels

LEVELS = 100
"""Steps of the frequency that are told apart: a map has at most two knots per step."""


@dataclass(frozen=True)
class ClassMaps:
    """A rising piecewise linear function of the probability per class, whose values are divided by their sum.

    Where another class would pass the most probable one, that one is raised to just above it: every label stays.

    Attributes:
        knots: Per class, probabilities that never fall.
        values: Per class, what they are worth.
    """

    knots: Sequence[Sequence[float]]
    values: Sequence[Sequence[float]]

    def scale_probabilities(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Calibrate class probabilities (C, *spatial).

        Raises:
            InputError: If the number of classes differs.
        """
        if len(probabilities) != len(self.knots):
            raise InputError(f"expected {len(self.knots)} classes, as calibrated, found {len(probabilities)}")
        scaled = torch.empty_like(probabilities)
        for one, p, knots, values in zip(scaled, probabilities, self.knots, self.values, strict=True):
            one.copy_(torch.from_numpy(np.asarray(np.interp(p.cpu().numpy(), knots, values))))
        return keep_labels(scaled, probabilities)


def fit_isotonic(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None) -> ClassMaps:
    """Fit a rising function per class by least squares (pool adjacent violators), one class against the rest.

    Args:
        logits: Float tensor (N, C), or logarithms of probabilities.
        labels: int64 (N,), the true classes.
        weights: Float (N,), of the rows; None: all alike.

    Returns:
        The functions.

    Raises:
        InputError: If there is no row.

    Source: Zadrozny & Elkan, KDD 2002; that labels stay is added here.

    Examples:
        >>> p = torch.tensor([[0.9, 0.1]] * 2000 + [[0.1, 0.9]] * 2000)
        >>> labels = torch.tensor([0, 0, 0, 1] * 500 + [1, 1, 1, 0] * 500)  # right in 3 of 4, whatever it says
        >>> [round(one, 2) for one in fit_isotonic(p.log(), labels).scale_probabilities(p[0]).tolist()]
        [0.75, 0.25]
    """
    if not logits.numel():
        raise InputError("expected logits of at least one voxel, found none")
    p = logits.softmax(1).numpy()
    share = np.ones(len(p)) if weights is None else weights.double().numpy()
    maps = [_rising(p[:, c], (labels == c).numpy(), share) for c in range(p.shape[1])]
    return ClassMaps(tuple(one[0] for one in maps), tuple(one[1] for one in maps))


def _rising(p: np.ndarray, true: np.ndarray, share: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots and values of one class: the ends of each run of probabilities of one level."""
    knots, place, count = np.unique(p, return_inverse=True, return_counts=True)
    mass = np.bincount(place, share)
    frequency = isotonic_regression(np.bincount(place, share * true) / mass, weights=mass).x
    # Half a voxel of either answer per step of the function, so that no probability becomes 0 or 1.
    _, step = np.unique(frequency, return_inverse=True)
    voxels = np.bincount(step, count)[step]
    frequency = np.maximum.accumulate((frequency * voxels + 0.5) / (voxels + 1))
    level = np.floor(frequency * LEVELS)
    change = np.flatnonzero(np.diff(level)) + 1
    ends = np.unique(np.concatenate([[0], change - 1, change, [len(knots) - 1]]))
    ends = ends[ends >= 0]
    return tuple(knots[ends].astype(float).tolist()), tuple(frequency[ends].tolist())
