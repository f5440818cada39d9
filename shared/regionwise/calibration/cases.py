"""Calibration cases on disk: prediction, probabilities and reference, one case in memory at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..evaluation.cases import Case
from ..evaluation.measure import mask_of
from ..evaluation.probabilities import ProbabilityFile
from ..evaluation.reading import read_pair, voxel_ml
from ..evaluation.settings import EvaluationSettings
from ..evaluation.structures import Structure
from ..metrics import (
    ReliabilityBins,
    brier_score,
    counts,
    dice,
    expected_volume_ml,
    negative_log_likelihood,
    reliability_bins,
    soft_dice_confidence,
)
from ..uncertainty import depths_of_invented_mm, distances_of_missed_mm
from .record import Calibrator
from .scaling import SMALLEST

SURE = 0.99
"""Background of this probability is drawn apart: most of a scan, and it says next to nothing."""


@dataclass(frozen=True)
class StructureCalibration:
    """Calibration of one structure in one case.

    Attributes:
        bins: Reliability bins of its probability.
        brier: Brier score.
        nll: Negative log likelihood, in nats.
        expected_ml: Sum of the probabilities, in ml.
        reference_ml: Volume of the reference.
        confidence: Soft Dice confidence of the prediction.
        dice: Dice of the most probable classes.
    """

    bins: ReliabilityBins
    brier: float
    nll: float
    expected_ml: float
    reference_ml: float
    confidence: float
    dice: float


def sample_voxels(
    case: Case,
    settings: EvaluationSettings,
    number: int,
    random: np.random.Generator,
    features: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw voxels of a case: half of them structures and unsure background, half sure background.

    Args:
        case: The case.
        settings: Of the evaluation.
        number: Number of voxels at most.
        random: Draws them.
        features: Of all voxels, (F, *spatial), from the probabilities (C, *spatial); None: no features.

    Returns:
        Logarithms of the probabilities, float32 (N, C), the true classes, int64 (N,), weights with which the rows stand
        for all voxels of the case, and all cases count alike, float64 (N,), and the features (N, F).

    Raises:
        InputError: If a file cannot be read or does not fit.
    """
    _, reference = read_pair(case, settings)
    maps = ProbabilityFile(case, reference, settings)
    truth = maps.truth.reshape(-1)
    if truth.size and truth.max() >= maps.n_classes:
        raise InputError(f"{case.probabilities} has {maps.n_classes} classes, none for label {truth.max()}")
    highest = max((label for one in settings.classes or () for label in one.labels), default=0)
    if highest >= maps.n_classes:
        raise InputError(f"{case.probabilities} has {maps.n_classes} classes, --classes names label {highest}")
    of_interest = (truth > 0) | (maps.probability(0).reshape(-1) < SURE)
    chosen, weights = [], []
    for part in (np.flatnonzero(of_interest), np.flatnonzero(~of_interest)):
        drawn = random.choice(part, min(len(part), number // 2), replace=False)
        chosen.append(drawn)
        weights.append(np.full(len(drawn), len(part) / max(len(drawn), 1) / max(truth.size, 1)))
    index = np.concatenate(chosen)
    if features is None:
        p = torch.from_numpy(np.stack([one.reshape(-1)[index] for one in maps.probabilities()], axis=1))
        seen = torch.empty(len(index), 0)
    else:
        whole = torch.from_numpy(np.stack(list(maps.probabilities())))
        p, seen = (one.flatten(1).T[index] for one in (whole, features(whole)))
    true = torch.from_numpy(truth[index].astype(np.int64))
    return p.clamp(min=SMALLEST).log(), true, torch.from_numpy(np.concatenate(weights)), seen


def measure_calibration(
    case: Case, structures: Sequence[Structure], settings: EvaluationSettings, scalings: Sequence[Calibrator | None]
) -> list[dict[str, StructureCalibration]]:
    """Measure the calibration of a case, as it is (None) or scaled.

    Returns:
        Structure to its calibration, one dictionary per scaling.
    """
    prediction, reference = read_pair(case, settings)
    maps = ProbabilityFile(case, reference, settings)
    p = torch.from_numpy(np.stack(list(maps.probabilities())))
    predicted, ml = prediction.array[maps.kept], voxel_ml(reference.affine)
    found = []
    for scaling in scalings:
        scaled = p if scaling is None else scaling.scale_probabilities(p)
        labels = scaled.argmax(0).numpy()
        found.append(
            {one.name: _measure(scaled.numpy(), labels, predicted, maps.truth, one, settings, ml) for one in structures}
        )
    return found


def margin_distances(
    case: Case, structures: Sequence[Structure], settings: EvaluationSettings
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Distances of what a prediction missed and depths of what it invented, per structure, in mm."""
    prediction, reference = read_pair(case, settings)
    found = {}
    for one in structures:
        masks = mask_of(prediction.array, one), mask_of(reference.array, one)
        found[one.name] = (
            distances_of_missed_mm(*masks, reference.spacing_mm),
            depths_of_invented_mm(*masks, reference.spacing_mm),
        )
    return found


def _measure(
    p: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    truth: np.ndarray,
    one: Structure,
    settings: EvaluationSettings,
    ml: float,
) -> StructureCalibration:
    own, true = np.minimum(sum(p[label] for label in one.labels), 1), mask_of(truth, one)
    return StructureCalibration(
        reliability_bins(own, true, settings.calibration_bins),
        brier_score(own, true) or 0.0,
        negative_log_likelihood(own, true) or 0.0,
        expected_volume_ml(own, ml),
        np.count_nonzero(true) * ml,
        soft_dice_confidence(own, mask_of(predicted, one)),
        dice(counts(mask_of(labels, one), true)),
    )
