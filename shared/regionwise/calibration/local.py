"""Local temperature scaling: one temperature per voxel, from how sure the network is there and around it."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ..errors import InputError
from .scaling import SMALLEST, keep_labels

RADII = (1, 3)
"""Radii of the neighborhoods in voxels: next to the voxel, and about the width of an unsure border."""

LIMIT = 4.0
"""Largest logarithm of a temperature, either way: what is beyond was not learned but extrapolated."""


@dataclass(frozen=True)
class LocalScaling:
    """Log temperature of a voxel, a weighted sum of its `local_features`; every label stays the same.

    Attributes:
        weights: One number per feature, the constant's first.
    """

    weights: tuple[float, ...]

    def scale_probabilities(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Calibrate class probabilities (C, *spatial): softmax(ln p_i / T_i)."""
        features = local_features(probabilities)
        weights = features.new_tensor(self.weights)
        log_temperature = torch.tensordot(weights, features, 1).clamp_(-LIMIT, LIMIT)
        logits = probabilities.clamp(min=SMALLEST).log()
        return keep_labels((logits * (-log_temperature).exp()).softmax(0), probabilities)


def local_features(probabilities: torch.Tensor) -> torch.Tensor:
    """Features of each voxel that its temperature depends on.

    They are 1, the logarithm of 1 + lead (the lead is the difference of the two largest logits), the same of the mean
    lead of each neighborhood, and the share of each neighborhood whose most probable class is the voxel's. A
    neighborhood is cut where the array ends.

    Args:
        probabilities: Float tensor (C, *spatial), 2-D or 3-D.

    Returns:
        float32 (2 + 2 * len(RADII), *spatial).
    """
    p = probabilities.float().clamp(min=SMALLEST)
    top = p.topk(2, dim=0)
    lead = top.values[0].log() - top.values[1].log()
    labels = top.indices[0]
    found = [torch.ones_like(lead), lead.log1p()]
    for radius in RADII:
        alike = torch.zeros_like(lead)
        for label in range(len(p)):
            own = labels == label
            alike[own] = _mean_around(own.float(), radius)[own]
        found += [_mean_around(lead, radius).log1p(), alike]
    return torch.stack(found)


def fit_local(
    logits: torch.Tensor, labels: torch.Tensor, features: torch.Tensor, weights: torch.Tensor | None = None
) -> LocalScaling:
    """Fit the weights of the highest likelihood.

    Args:
        logits: Float tensor (N, C), or logarithms of probabilities.
        labels: int64 (N,), the true classes.
        features: Float (N, F), the `local_features` of the rows.
        weights: Float (N,), of the rows; None: all alike.

    Returns:
        The scaling.

    Raises:
        InputError: If there is no row, or a logit is not finite.

    Source: after Ding et al., ICCV 2021, who let a small network see the logits and the image.
    """
    if not logits.numel() or not torch.isfinite(logits).all():
        raise InputError(f"expected finite logits of at least one voxel, found {tuple(logits.shape)} with NaN or none")
    rows, seen = logits.double(), features.double()
    share = torch.ones(len(rows), dtype=torch.float64) if weights is None else weights.double()
    share = share / share.sum()
    found = torch.zeros(seen.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = rows * (-(seen @ found).clamp(-LIMIT, LIMIT)).exp()[:, None]
        value = (share * (scores.logsumexp(1) - scores.gather(1, labels[:, None])[:, 0])).sum()
        value.backward()
        return value

    optimizer.step(loss)
    return LocalScaling(tuple(found.detach().tolist()))


def _mean_around(values: torch.Tensor, radius: int) -> torch.Tensor:
    """Mean over the (2 radius + 1)^d neighborhood of each voxel, as far as it lies in the array."""
    pool = {2: F.avg_pool2d, 3: F.avg_pool3d}[values.ndim]
    # Padded here, since the pooling refuses an axis shorter than its kernel, which few slices of a volume are.
    padded = (F.pad(one[None, None], [radius] * 2 * values.ndim) for one in (values, torch.ones_like(values)))
    total, there = (pool(one, 2 * radius + 1, 1) for one in padded)
    return (total / there)[0, 0]
