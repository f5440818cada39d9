"""Dice for every subset of the modalities: what a missing scan costs."""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ..datasets.registry import to_classes
from ..distributed import is_main_process
from ..errors import InputError
from ..evaluation.structures import named_regions
from ..files import atomic_path
from ..metrics.overlap import counts, dice
from ..nifti import read_labels
from ..options import as_path
from .dropout import without

Scores = dict[tuple[str, str], list[float]]  # (subset, region) to one Dice per case
CASES, SUMMARY = "modality_subsets_cases.csv", "modality_subsets.csv"


def evaluate_subsets(
    data: Sequence[Mapping[str, Any]],
    dataset: str,
    transform: Callable,
    network: nn.Module,
    inferer: Callable,
    modalities: Sequence[str],
    regions: str,
    output_dir: str | os.PathLike,
    device: str | torch.device = "cpu",
) -> None:
    """Segment every case with every subset of its modalities; write and print the Dice of every region.

    Writes ``modality_subsets_cases.csv`` (one row per case, subset and region) and ``modality_subsets.csv`` (one row
    per subset; then the mean over subsets and the worst). Labels are the most probable class, at the scan's own grid.

    Args:
        data: Labeled cases, one image file per modality.
        dataset: Its name, for the label values.
        transform: Preprocessing of ``image``; must not resample.
        network: The network, or an ensemble; takes missing channels as NaN.
        inferer: Gives scores or labels of a volume.
        modalities: Names of the channels.
        regions: Name of a set of regions: ``brats``.
        output_dir: Folder to write to.
        device: Device of the network.

    Raises:
        InputError: If a case cannot be read, or the transform resamples.
    """
    if not is_main_process():
        return
    structures = named_regions(regions)
    rows = []
    network = network.eval()
    for case in tqdm(data, desc="subsets of modalities", unit="case", mininterval=1, disable=None):
        image = torch.as_tensor(transform(dict(case))["image"]).as_subclass(torch.Tensor)
        reference = to_classes(dataset, read_labels(case["label"], ndims=(3,)).array)
        if image.shape[1:] != reference.shape:
            raise InputError(
                f"expected a preprocessing that keeps the grid of {case['label']}, found {image.shape[1:]}"
            )
        for kept in subsets(len(modalities)):
            missing = [channel for channel in range(len(modalities)) if channel not in kept]
            with torch.no_grad():
                scores = inferer(without(image, missing)[None].to(device), network)[0].as_subclass(torch.Tensor)
            labels = (scores[0] if len(scores) == 1 else scores.max(0).indices).cpu().numpy()
            name = "+".join(modalities[channel] for channel in kept)
            for region in structures:
                pair = (np.isin(one, region.labels) for one in (labels, reference))
                rows.append([str(case["case_id"]), name, region.name, dice(counts(*pair))])
    summary = summarize(rows)
    folder = as_path(output_dir, "output_dir")
    _write(folder / CASES, [["case", "modalities", "region", "dice"], *rows])
    _write(folder / SUMMARY, summary)
    widths = [max(len(_shown(row[column])) for row in summary) for column in range(len(summary[0]))]
    for row in summary:
        print("  ".join(_shown(value).ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def subsets(count: int) -> list[tuple[int, ...]]:
    """Return all subsets of modalities that are not empty, the largest first: 15 of 4.

    Examples:
        >>> subsets(2)
        [(0, 1), (0,), (1,)]
    """
    return [kept for size in range(count, 0, -1) for kept in combinations(range(count), size)]


def summarize(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return the table of the summary, with its header.

    Args:
        rows: Case, subset, region, Dice.

    Returns:
        Per subset: the number of cases, per region the mean over cases, and the mean over regions; then the mean over
        subsets and the lowest of them.
    """
    names, regions = (list(dict.fromkeys(row[column] for row in rows)) for column in (1, 2))
    values = {key: [row[3] for row in rows if (row[1], row[2]) == key] for key in {(row[1], row[2]) for row in rows}}
    means = np.array([[np.mean(values[name, region]) for region in regions] for name in names])
    means = np.column_stack([means, means.mean(1)])
    number = len(next(iter(values.values())))
    table = [[name, number, *map(float, line)] for name, line in zip(names, means, strict=True)]
    total = [["mean over subsets", number, *means.mean(0)], ["worst subset", number, *means.min(0)]]
    return [["modalities", "n", *regions, "mean"], *table, *total]


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _write(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([_shown(value) for value in row] for row in rows)
