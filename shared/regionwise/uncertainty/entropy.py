"""Entropies of sampled class probabilities, per voxel, in nats (0 to ln C)."""

import torch

from ..errors import InputError


def predictive_entropy(samples: torch.Tensor) -> torch.Tensor:
    """Entropy of the mean prediction: H[1/M sum_m p_m], the total uncertainty.

    Args:
        samples: Float tensor (M, C, *spatial): probabilities of C classes from M members (networks, dropout samples,
            mirrored copies).

    Returns:
        Float tensor (*spatial), from 0 to ln C. A NaN stays one.

    Raises:
        InputError: If there is no sample, or only one class.

    Source: Kahl et al., ValUES, ICLR 2024.

    Examples:
        >>> agree, disagree = torch.tensor([[0.5, 0.5], [0.5, 0.5]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> round(predictive_entropy(agree).item(), 4), round(predictive_entropy(disagree).item(), 4)
        (0.6931, 0.6931)
        >>> round(mutual_information(agree).item(), 4), round(mutual_information(disagree).item(), 4)
        (0.0, 0.6931)
    """
    _check(samples)
    return entropy(samples.mean(0))


def expected_entropy(samples: torch.Tensor) -> torch.Tensor:
    """Mean entropy of the predictions: 1/M sum_m H[p_m], the uncertainty that the members agree on.

    Args:
        samples: See `predictive_entropy`.

    Returns:
        Float tensor (*spatial), from 0 to the predictive entropy.

    Raises:
        InputError: As `predictive_entropy`.
    """
    _check(samples)
    return torch.stack([entropy(one) for one in samples]).mean(0)


def mutual_information(samples: torch.Tensor) -> torch.Tensor:
    """Mutual information of prediction and member: predictive minus expected entropy, the members' disagreement.

    Args:
        samples: See `predictive_entropy`.

    Returns:
        Float tensor (*spatial), 0 where all members say the same; rounding below 0 becomes 0.

    Raises:
        InputError: As `predictive_entropy`.
    """
    return (predictive_entropy(samples) - expected_entropy(samples)).clamp(min=0)


def entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Entropy over the first axis: -sum_c p_c ln p_c, with 0 ln 0 = 0.

    Args:
        probabilities: Float tensor (C, *spatial).
    """
    # Class by class: a copy of all classes would double the memory of a scan.
    total = torch.special.entr(probabilities[0])
    for one in probabilities[1:]:
        total += torch.special.entr(one)
    return total


def _check(samples: torch.Tensor) -> None:
    if samples.ndim < 2 or samples.shape[0] < 1 or samples.shape[1] < 2:
        raise InputError(
            f"expected samples of shape (members, classes, *spatial) with at least 1 member and 2 classes, "
            f"found {tuple(samples.shape)}"
        )
