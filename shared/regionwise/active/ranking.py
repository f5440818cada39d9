"""Orders in which to label: class-stratified uncertainty with noise, and the random orders it has to beat."""

from collections import deque

import numpy as np

STRATIFIED = (True, True, False)
"""Two of three ranks are stratified, whatever part of the ranking is used: 66 % of the budget."""

LOWEST_BETA, HIGHEST_BETA = 1.0, 100.0


def noise_beta(round: int, rounds: int) -> float:
    """Return the sharpness of a round's noise: from 1 in the first to 100 in the last, exponentially.

    Examples:
        >>> [noise_beta(number, 3) for number in range(3)]
        [1.0, 10.0, 100.0]
    """
    return LOWEST_BETA * (HIGHEST_BETA / LOWEST_BETA) ** (round / max(1, rounds - 1))


def rank_stratified(scores: np.ndarray, rng: np.random.Generator, beta: float) -> list[tuple[int, int]]:
    """Return an order of items by class-stratified, noisy uncertainty (ClaSP-PE).

    Two of three ranks go to the structures in turn, each to the item of that structure's highest log s + Gumbel(0,
    1/beta); the third to the item of the highest total. Structures that are predicted nowhere have no turn.

    Args:
        scores: Float (n, K) from `slice_scores`, class 0 the background.
        rng: The source of the noise.
        beta: Sharpness: the higher, the less noise.

    Returns:
        All items once: index, and the class that it was chosen for (0: for the total).

    Source: ClaSP-PE (TMLR 2026), on slices and cases instead of patches.
    """
    total = scores.sum(1)
    columns = {0: total} | {label: scores[:, label] for label in range(1, scores.shape[1]) if scores[:, label].any()}
    with np.errstate(divide="ignore"):
        noisy = {label: np.log(column) + rng.gumbel(0, 1 / beta, len(column)) for label, column in columns.items()}
    # Items without any uncertainty come last, the one with the lower index first.
    queues = {label: deque(np.argsort(-column, kind="stable").tolist()) for label, column in noisy.items()}
    turns = [label for label in columns if label] or [0]
    order: list[tuple[int, int]] = []
    taken: set[int] = set()
    turn = 0
    while len(order) < len(scores):
        label = 0
        if STRATIFIED[len(order) % len(STRATIFIED)]:
            label, turn = turns[turn % len(turns)], turn + 1
        item = _next(queues[label], taken)
        order.append((item, label))
    return order


def rank_random(count: int, rng: np.random.Generator) -> list[int]:
    """Return the items in random order."""
    return [int(item) for item in rng.permutation(count)]


def rank_foreground_random(foreground: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Return the items in random order, two of three ranks for those with predicted foreground as long as there are.

    Args:
        foreground: Bool (n,).
        rng: The source of randomness.

    Source: nnActive (TMLR 2025), "foreground-aware random".
    """
    anything = deque(rank_random(len(foreground), rng))
    preferred = deque(item for item in anything if foreground[item])
    order: list[int] = []
    taken: set[int] = set()
    left = len(preferred)
    while len(order) < len(foreground):
        aware = left > 0 and STRATIFIED[len(order) % len(STRATIFIED)]
        item = _next(preferred if aware else anything, taken)
        left -= bool(foreground[item])
        order.append(item)
    return order


def _next(queue: deque[int], taken: set[int]) -> int:
    """Take the first item of a queue that is not taken."""
    item = queue.popleft()
    while item in taken:
        item = queue.popleft()
    taken.add(item)
    return item
