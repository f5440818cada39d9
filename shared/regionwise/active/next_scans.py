"""Rank unlabeled scans by what labeling them would teach: ``python -m regionwise next``."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle.recorded import build
from ..errors import InputError
from ..evaluation.output import check_outputs, check_writable
from ..files import atomic_path
from ..guard import find_reader_problems
from ..scans import CheckedScans, find_scans
from .predictions import open_bundle, predict
from .ranking import noise_beta, rank_foreground_random, rank_random, rank_stratified
from .scores import slice_scores

CASES, SLICES = "next_cases.csv", "next_slices.csv"


def next_scans(
    unlabelled: str,
    model: str,
    out: str,
    checkpoint: str | None = None,
    network: str | None = None,
    round: int = 0,
    rounds: int = 4,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Rank unlabeled scans, and their slices, in the order in which to label them.

    Ranked by predictive entropy, two of three ranks class by class, with noise that decreases over the rounds
    (ClaSP-PE). Beside it stand two random orders: whatever is chosen by the first should be compared with as many cases
    chosen by them, of which foreground-aware random is the one that is hard to beat. Writes next_cases.csv and
    next_slices.csv. A scan that cannot be read is named, and the others are ranked.

    Args:
        unlabelled: folder of scans, as --input of the bundle's inference.json.
        model: folder of a trained bundle, such as bundles/hippocampus_rrw; its configuration is run.
        out: folder to write to.
        checkpoint: weights; by default models/model.pt in the bundle.
        network: network.json of the training, where its network is not the bundle's.
        round: number of this round of labeling, from 0.
        rounds: number of rounds that are planned.
        seed: seed of the noise and of the random orders.
        overwrite: replace files that are there already.

    Raises:
        InputError: If there are no scans, the bundle or its weights do not fit, or the output exists.
    """
    for name, value, lowest in (("round", round, 0), ("rounds", rounds, 1), ("seed", seed, 0)):
        if value < lowest:
            raise InputError(f"expected --{name} to be an integer >= {lowest}, found {value}")
    if round >= rounds:
        raise InputError(f"expected --round to be 0..{rounds - 1} (--rounds is {rounds}), found {round}")
    outputs = [Path(out) / CASES, Path(out) / SLICES]
    check_writable(Path(out))
    check_outputs(outputs, [], overwrite)
    parser = open_bundle(model, checkpoint, network)
    listed = find_scans(unlabelled, parser.get("modalities"))
    names = [scan["case_id"] for scan in listed]
    if len(set(names)) < len(names):
        raise InputError(f"two scans are called {next(one for one in names if names.count(one) > 1)}; rename one")
    scans = CheckedScans(listed, find_reader_problems)
    axis = int(build(parser, "slice_axis", model))
    found = {name: slice_scores(probabilities, axis) for name, probabilities in predict(parser, scans.usable)}
    beta = noise_beta(round, rounds)
    cases = [{"case": name} for name in found]
    scores = np.stack([scores.mean(0) for scores, _ in found.values()])
    foreground = np.array([bool(seen.any()) for _, seen in found.values()])
    _write(outputs[0], ranked(cases, scores, foreground, beta, seed))
    slices = [{"case": name, "slice": index} for name, (rows, _) in found.items() for index in range(len(rows))]
    scores = np.concatenate([scores for scores, _ in found.values()])
    foreground = np.concatenate([seen for _, seen in found.values()])
    _write(outputs[1], ranked(slices, scores, foreground, beta, seed))
    print(f"{len(cases)} cases and {len(slices)} slices ranked: {outputs[0]}, {outputs[1]}")
    scans.finish()


def ranked(
    items: list[dict[str, Any]], scores: np.ndarray, foreground: np.ndarray, beta: float, seed: int
) -> list[dict[str, Any]]:
    """Return the rows of a ranking, the first to label first.

    Args:
        items: What is ranked: case, or case and slice.
        scores: Float (n, K), see `slice_scores`.
        foreground: Bool (n,).
        beta: See `rank_stratified`.
        seed: Of the noise and of the random orders.

    Returns:
        Rank, the item, its mean entropy, the class it was chosen for, and its ranks in the two random orders.
    """
    rng = np.random.default_rng(seed)
    order = rank_stratified(scores, rng, beta)
    plain = {item: rank for rank, item in enumerate(rank_random(len(items), rng), start=1)}
    aware = {item: rank for rank, item in enumerate(rank_foreground_random(foreground, rng), start=1)}
    return [
        {
            "rank": rank,
            **items[item],
            "entropy": f"{scores[item].sum():.6g}",
            "chosen_for": label or "total",
            "random_rank": plain[item],
            "foreground_random_rank": aware[item],
        }
        for rank, (item, label) in enumerate(order, start=1)
    ]


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
