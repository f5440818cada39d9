"""Failure detection: areas under risk-coverage curves, and the cases to send to a human.

Cases are accepted in the order of their confidence. Cases of one confidence are accepted together, in shares, so that
their order changes nothing: the risk grows linearly over them.
"""

import math
from collections.abc import Sequence

import numpy as np

from ..errors import InputError

PAIRWISE = "pairwise Dice of the members"
SOFT_DICE = "soft Dice confidence"
"""Names of the trust scores in tables and calibrations."""

Numbers = Sequence[float] | np.ndarray


def aurc(risk: Numbers, confidence: Numbers) -> float:
    """Area under the selective-risk curve: mean risk of the accepted cases, integrated over coverage from 0 to 1.

    Confidence that says nothing gives the mean risk; with an error rate e (risks 0 and 1) perfect confidence gives
    e + (1 - e) ln(1 - e). The integral is exact, not a sum over cases.

    Args:
        risk: One number per case, such as 1 - Dice; higher is worse.
        confidence: One number per case; higher is more trusted.

    Raises:
        InputError: If there is no case, the lengths differ, or a value is not finite.

    Source: Geifman et al., ICLR 2019.

    Examples:
        >>> aurc([0.25, 0.5, 0.75], [5, 5, 5])
        0.5
        >>> round(aurc([0, 0, 0, 1], [4, 3, 2, 1]), 6) == round(1 / 4 + 3 / 4 * math.log(3 / 4), 6)
        True
    """
    coverage, total = _risk_curve(risk, confidence)
    slope = np.diff(total) / np.diff(coverage)
    # On a piece the accumulated risk is offset + slope * c, and the mean risk of the accepted offset / c + slope.
    offset = (total[:-1] - slope * coverage[:-1])[1:]
    area = (slope * np.diff(coverage)).sum() + (offset * np.log(coverage[2:] / coverage[1:-1])).sum()
    return float(area)


def augrc(risk: Numbers, confidence: Numbers) -> float:
    """Area under the generalized-risk curve: risk of the accepted cases per case of all, integrated over coverage.

    It is the mean risk of failures that pass unseen. Confidence that says nothing gives half the mean risk; with an
    error rate e (risks 0 and 1) perfect confidence gives e^2 / 2 and reversed confidence e - e^2 / 2.

    Args:
        risk: See `aurc`.
        confidence: See `aurc`.

    Raises:
        InputError: As `aurc`.

    Source: Traub et al., NeurIPS 2024.

    Examples:
        >>> augrc([0, 0, 0, 1], [4, 3, 2, 1]), augrc([0, 0, 0, 1], [1, 2, 3, 4]), augrc([0, 0, 0, 1], [1, 1, 1, 1])
        (0.03125, 0.21875, 0.125)
    """
    coverage, total = _risk_curve(risk, confidence)
    return float((np.diff(coverage) * (total[1:] + total[:-1]) / 2).sum())


def trust_threshold(confidence: Numbers, coverage: float = 0.9) -> float:
    """Confidence from which on a case is accepted, so that at least ``coverage`` of the cases are.

    Args:
        confidence: One number per case.
        coverage: Share of the cases to accept, in (0, 1].

    Returns:
        The confidence of the least trusted case that is accepted.

    Raises:
        InputError: If there is no case, a value is not finite, or coverage is not in (0, 1].
    """
    if not 0 < coverage <= 1:
        raise InputError(f"expected a coverage in (0, 1], got {coverage:g}")
    values = np.sort(_checked("confidence", confidence))
    return float(values[math.floor((1 - coverage) * len(values) + 1e-9)])


def cases_to_review(
    confidence: Numbers, coverage: float = 0.9, threshold: float | None = None
) -> tuple[np.ndarray, float]:
    """Choose the cases to send to a human: those that are trusted less than a threshold.

    Args:
        confidence: One number per case.
        coverage: Share of the cases to accept at least, see `trust_threshold`.
        threshold: One that was found on other cases; None finds it on these. Cases tied with it are accepted.

    Returns:
        Bool array, true for a case to send, and the share that is accepted.

    Raises:
        InputError: As `trust_threshold`.

    Examples:
        >>> cases_to_review([0.9, 0.5, 0.8, 0.95, 0.7], coverage=0.8)
        (array([False,  True, False, False, False]), 0.8)
    """
    values = _checked("confidence", confidence)
    send = values < (trust_threshold(values, coverage) if threshold is None else threshold)
    return send, 1 - float(send.mean())


def _risk_curve(risk: Numbers, confidence: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Return coverages from 0 to 1, one per distinct confidence, and the risk of the accepted over all cases."""
    risks, trusts = _checked("risk", risk), _checked("confidence", confidence)
    if len(risks) != len(trusts):
        raise InputError(f"expected one confidence per risk, found {len(trusts)} for {len(risks)}")
    levels, place, count = np.unique(-trusts, return_inverse=True, return_counts=True)
    sums = np.bincount(place, weights=risks, minlength=len(levels))
    coverage, total = (np.concatenate([[0.0], np.cumsum(part) / len(risks)]) for part in (count, sums))
    return coverage, total


def _checked(name: str, values: Numbers) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not array.size:
        raise InputError(f"expected one {name} per case, found an array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"expected a finite {name} per case, found {array[~np.isfinite(array)][0]}")
    return array
