"""Calibration of a case: its class probabilities against the reference, read class by class to save memory."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..geometry import AFFINE_TOLERANCE_VOXELS, largest_move_voxels
from ..metrics import (
    ReliabilityBins,
    average_calibration_error,
    brier_score,
    expected_calibration_error,
    expected_volume_ml,
    maximum_calibration_error,
    negative_log_likelihood,
    reliability_bins,
    soft_dice_confidence,
)
from ..nifti import Volume, check_header, read_header
from .cases import Case
from .reading import labeled_slices, voxel_ml
from .settings import EvaluationSettings
from .structures import Structure

# Probabilities are often stored in half precision; logits and percentages are further off than this.
TOLERANCE = 0.02


@dataclass(frozen=True)
class CaseCalibration:
    """Calibration of one case.

    Attributes:
        columns: For each structure its ``ece``, ``ace``, ``mce``, ``brier``, ``nll``, ``expected_volume_ml``,
            ``expected_volume_error_ml`` and ``soft_dice_confidence``.
        structures: Reliability bins of each structure, "is this voxel of the structure?".
        top_label: Bins of the largest probability, "is the likeliest class right?".
        brier: Multi-class Brier score, the sum over all classes with the background, in [0, 2].
    """

    columns: dict[str, dict[str, float | None]]
    structures: dict[str, ReliabilityBins]
    top_label: ReliabilityBins
    brier: float


def measure_probabilities(
    case: Case, prediction: Volume, reference: Volume, structures: Sequence[Structure], settings: EvaluationSettings
) -> CaseCalibration | None:
    """Compare the probabilities of a case with its reference; None if it has none.

    Raises:
        InputError: If the file is not a (*spatial, classes) array of probabilities on the grid of the reference.
    """
    if case.probabilities is None:
        return None
    maps = ProbabilityFile(case, reference, settings)
    confidence, winner, total, brier = np.zeros(0), np.zeros(0), np.zeros(0), 0.0
    for label in range(maps.n_classes):
        p = maps.probability(label)
        brier += brier_score(p, maps.truth == label) or 0.0
        if label == 0:
            confidence, winner, total = p.copy(), np.zeros(p.shape, np.uint16), p
            continue
        total = total + p
        better = p > confidence
        confidence[better], winner[better] = p[better], label
    if total.size and np.abs(total - 1).max() > TOLERANCE:
        raise InputError(f"the classes of {case.probabilities} do not add up to 1 in every voxel; is it a softmax?")
    bins, columns, predicted = {}, {}, prediction.array[maps.kept]
    for one in structures:
        if max(one.labels) >= maps.n_classes:
            raise InputError(f"{case.probabilities} has {maps.n_classes} classes, none for label {max(one.labels)}")
        p, truth = np.asarray(sum(maps.probability(label) for label in one.labels)), np.isin(maps.truth, one.labels)
        p = np.minimum(p, 1)
        bins[one.name] = reliability_bins(p, truth, settings.calibration_bins)
        expected_ml = expected_volume_ml(p, voxel_ml(reference.affine))
        columns[one.name] = {
            "ece": expected_calibration_error(bins[one.name]),
            "ace": average_calibration_error(bins[one.name]),
            "mce": maximum_calibration_error(bins[one.name]),
            "brier": brier_score(p, truth),
            "nll": negative_log_likelihood(p, truth),
            "expected_volume_ml": expected_ml,
            "expected_volume_error_ml": expected_ml - np.count_nonzero(truth) * voxel_ml(reference.affine),
            "soft_dice_confidence": soft_dice_confidence(p, np.isin(predicted, one.labels)),
        }
    top = reliability_bins(confidence, winner == maps.truth, settings.calibration_bins)
    return CaseCalibration(columns, bins, top, brier)


class ProbabilityFile:
    """The probabilities of a case, one class in memory at a time.

    Attributes:
        n_classes: Number of classes, with the background.
        kept: Index of the slices that the protocol includes.
        truth: Labels of their voxels.
    """

    def __init__(self, case: Case, reference: Volume, settings: EvaluationSettings) -> None:
        """Open the file and compare its geometry with the reference.

        Raises:
            InputError: If it is missing or has another geometry.
        """
        assert case.probabilities is not None  # no case without is opened
        self.path, shape = case.probabilities, reference.array.shape
        self.header = read_header(self.path)
        if self.header.shape[:-1] != shape or self.header.shape[-1] < 2:
            expected = f"({', '.join(map(str, shape))}, classes)"
            raise InputError(f"expected probabilities of shape {expected} in {self.path}, found {self.header.shape}")
        check_header(self.header, self.path, ndims=(len(shape) + 1,))
        if not largest_move_voxels(self.header.affine, reference.affine, shape) <= AFFINE_TOLERANCE_VOXELS:
            raise InputError(f"the affines of {self.path} and {reference.path} differ")
        self.n_classes = self.header.shape[-1]
        self.kept = labeled_slices(reference.array) if settings.protocol == "paper" else slice(None)
        self.truth = reference.array[self.kept]

    def probabilities(self) -> Iterator[np.ndarray]:
        """Read one class after the other."""
        return (self.probability(label) for label in range(self.n_classes))

    def probability(self, label: int) -> np.ndarray:
        """Read one class, float32, of the shape of ``truth``.

        Raises:
            InputError: If the file is damaged, or a value is not a probability.
        """
        try:
            p = np.asarray(self.header.dataobj[..., label], dtype=np.float32)[self.kept]
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise InputError(f"{self.path} is damaged or truncated ({error}); re-copy it") from error
        # Written so that NaN fails too.
        if p.size and not (p.min() >= -TOLERANCE and p.max() <= 1 + TOLERANCE):
            raise InputError(f"expected probabilities in [0, 1] in {self.path}, found {p.min():.3g} to {p.max():.3g}")
        return np.clip(p, 0, 1)
