"""Reference implementations: the formulas of the published code, transcribed literally.

Two distance transforms of SciPy per class on a float32 one-hot array, and every class a channel. Nothing is mended: see
`regionwise.maps` for what an absent class and a class that fills the array should give.
"""

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt


def one_hot(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return float32 (C, *spatial)."""
    return np.stack([labels == c for c in range(num_classes)]).astype(np.float32)


def published_rrw_map(labels: np.ndarray, num_classes: int, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """Return the RRW map of integer labels, float32 (C, *spatial)."""
    truth = one_hot(labels, num_classes)
    rrw_map = np.zeros_like(truth)
    for c in range(num_classes):
        rrw_map[c] = distance_transform_edt(truth[c], sampling=spacing)
        rrw_map[c] = -1 * (rrw_map[c] / np.max(rrw_map[c] + 1e-15))
    rrw_map[rrw_map == 0] = 1
    return rrw_map


def published_boundary_map(
    labels: np.ndarray, num_classes: int, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Return the RW-Boundary map, float32 (C, *spatial); an absent class gets the distances of the one before.

    Raises:
        UnboundLocalError: If the first class is absent.
    """
    truth = one_hot(labels, num_classes)
    boundary_map = np.zeros_like(truth)
    for c in range(num_classes):
        inside = truth[c].astype(bool)
        if inside.any():
            outside = ~inside
            distance_outside = distance_transform_edt(outside, sampling=spacing)
            distance_inside = distance_transform_edt(inside, sampling=spacing)
        boundary_map[c] = distance_outside * outside - distance_inside * inside
    return boundary_map


def published_region_wise_loss(logits: torch.Tensor, labels: torch.Tensor, make_map=published_rrw_map) -> torch.Tensor:
    """Return the loss of logits (B, C, *spatial) against labels (B, 1, *spatial), the map made inside."""
    maps = np.stack([make_map(image, logits.shape[1]) for image in labels[:, 0].cpu().numpy()])
    return torch.mean(torch.softmax(logits, 1) * torch.from_numpy(maps).to(logits.device))


def published_one_hot(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the one-hot target (B, C, *spatial) of labels (B, 1, *spatial)."""
    return torch.zeros_like(logits).scatter_(1, labels.long(), 1)


def published_dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the reference Dice loss."""
    probabilities, truth = torch.softmax(logits, 1), published_one_hot(logits, labels)
    axes = list(range(2, logits.ndim))
    ratio = 2 * torch.sum(probabilities * truth, axes) / (torch.sum(probabilities + truth, axes) + 1e-6)
    return 1 - torch.mean(ratio)


def published_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the reference cross-entropy."""
    log_probabilities = torch.log(torch.softmax(logits, 1) + 1e-15)
    return -torch.mean(torch.sum(published_one_hot(logits, labels) * log_probabilities, 1))


def published_focal(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the reference focal loss, gamma 2."""
    probabilities, truth = torch.softmax(logits, 1), published_one_hot(logits, labels)
    loss = -torch.pow(1 - probabilities + 1e-15, 2) * truth * torch.log(probabilities + 1e-15)
    return torch.mean(torch.sum(loss, 1))
