"""Decode class probabilities into the labels with the highest expected Dice."""

import torch

LEVELS = 4096


def dice_thresholds(probabilities: torch.Tensor) -> torch.Tensor:
    """Return, per structure, the threshold whose mask has the highest expected Dice.

    For a mask of n voxels, D = 2 sum_{i in mask} p_i / (sum_i p_i + n + 1) approximates the expected Dice. Its best
    mask holds the n most probable voxels, {p > t} with the fixed point t = D / 2: at most one half, and lower the less
    certain the structure is, where the most probable class would leave it out. Found over a histogram of 4096 levels,
    without sorting.

    Args:
        probabilities: (C, *spatial), each from 0 to 1, class 0 the background; they should be
            calibrated, as the expectation is taken under them.

    Returns:
        float64 (C - 1,), from 0 to 1 / 2; 0 for a structure whose probability is 0 everywhere.

    Source: Wang et al., RankSEG (2023), for the approximation and its optimality; the fixed point is Dinkelbach's.

    Examples:
        >>> sure, unsure = torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.tensor([0.4, 0.4, 0.0, 0.0])
        >>> [round(float(t), 2) for t in dice_thresholds(torch.stack([1 - sure - unsure / 4, sure, unsure]))]
        [0.4, 0.21]
    """
    found = [_threshold(structure.reshape(-1)) for structure in probabilities[1:]]
    return torch.tensor(found, dtype=torch.float64)


def expected_dice(probabilities: torch.Tensor, mask: torch.Tensor) -> float:
    """Return D = 2 sum_{i in mask} p_i / (sum_i p_i + |mask| + 1), the expected Dice of a mask of one structure.

    Args:
        probabilities: those of the structure, (*spatial).
        mask: bool (*spatial).
    """
    inside = probabilities[mask].sum(dtype=torch.float64)
    return float(2 * inside / (probabilities.sum(dtype=torch.float64) + mask.sum() + 1))


def dice_optimal_labels(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the labels of the highest expected Dice: each structure's voxels above its `dice_thresholds`.

    Where several structures claim a voxel, it goes to the one with the largest p / t. Should that cost more than the
    thresholds gained, the most probable class is returned: the mean expected Dice is never below that class's.

    Args:
        probabilities: (C, *spatial), see `dice_thresholds`.

    Returns:
        uint8 (*spatial).
    """
    thresholds = dice_thresholds(probabilities).clamp(min=1 / LEVELS).to(probabilities)
    claims = probabilities[1:] / thresholds.reshape(-1, *[1] * (probabilities.ndim - 1))
    claim, structure = claims.max(0)
    chosen = torch.where(claim > 1, structure + 1, 0).to(torch.uint8)
    usual = probabilities.max(0).indices.to(torch.uint8)
    return max((chosen, usual), key=lambda labels: _mean_expected_dice(probabilities, labels))


def _threshold(probabilities: torch.Tensor) -> float:
    # A voxel counts at the level below its probability, so that a mask is {p > level} but for ties with a level.
    level = (probabilities * LEVELS).ceil().long().sub_(1).clamp_(0, LEVELS - 1)
    count = torch.bincount(level, minlength=LEVELS).double()
    mass = torch.bincount(level, weights=probabilities.double(), minlength=LEVELS)
    # From the top: how many voxels, and how much probability, lie above each level.
    count, mass = (values.flip(0).cumsum(0).flip(0) for values in (count, mass))
    dice = 2 * mass / (mass[0] + count + 1)
    return float(dice.max()) / 2


def _mean_expected_dice(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    structures = range(1, len(probabilities))
    return sum(expected_dice(probabilities[index], labels == index) for index in structures) / len(structures)
