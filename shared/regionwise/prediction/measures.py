"""Measures of the members of one case, gathered part by part so that a large volume fits in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..calibration.record import Calibrator, calibrator_of
from ..metrics import confidence_of_sums
from ..uncertainty.agreement import label_overlaps, pairwise_dice, soft_dice_sums, volume_interval
from ..uncertainty.entropy import entropy
from ..uncertainty.ranking import PAIRWISE, SOFT_DICE


class Measures:
    """Uncertainty of one case at a time, from its members.

    Args:
        calibrator: Applied to the mean of the members; None: the weights hold their calibration, or there is none.

    Attributes:
        members: Number of members of the case.
    """

    def __init__(self, calibrator: Calibrator | None = None) -> None:
        self.calibrator = calibrator
        self.start(1.0)

    def start(self, voxel_ml: float) -> None:
        """Begin a new case.

        Args:
            voxel_ml: Volume of a voxel of the grid that the members predict on, in ml.
        """
        self.voxel_ml, self.members = voxel_ml, 0
        self._overlaps: Any = 0
        self._sums: Any = 0
        self._total_entropy = self._information = 0.0

    def add(self, members: Iterable[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Add a part of the volume.

        Args:
            members: Probabilities of the part from each member, float (C, *part), one at a time.

        Returns:
            Mean probabilities (C, *part), predictive entropy and mutual information (*part), in nats.
        """
        labels, total, expected = [], torch.empty(0), torch.empty(0)
        for number, probabilities in enumerate(members):
            own = entropy(probabilities)
            total = probabilities.clone() if number == 0 else total.add_(probabilities)
            expected = own if number == 0 else expected.add_(own)
            labels.append(probabilities.max(0).indices.to(torch.uint8))
        self.members = len(labels)
        mean = total.div_(self.members)
        predictive = entropy(mean)
        information = (predictive - expected.div_(self.members)).clamp_(min=0)
        if self.calibrator is not None:
            mean = self.calibrator.scale_probabilities(mean)
            predictive = entropy(mean)
        self._overlaps = self._overlaps + label_overlaps(torch.stack(labels), len(mean))
        self._sums = self._sums + soft_dice_sums(mean, mean.max(0).indices)
        self._total_entropy += float(predictive.sum(dtype=torch.float64))
        self._information += float(information.sum(dtype=torch.float64))
        return mean, predictive, information

    def row(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the measures of the case as columns of a table.

        Args:
            names: Of the structures.

        Returns:
            ``trust`` (the mean over structures of the pairwise Dice of the members, or with one member of the soft Dice
            confidence), ``trust_score`` (which of the two), ``members``, ``predictive_entropy_ml`` and
            ``mutual_information_ml`` (summed over voxels, times their volume), and per structure ``pairwise_dice``,
            ``soft_dice_confidence``, ``expected_volume_ml``, ``volume_low_ml``, ``volume_high_ml`` (90 % of the
            members) and ``volume_cv``.
        """
        agreement, confidence = pairwise_dice(self._overlaps), confidence_of_sums(*self._sums.T)
        several = self.members > 1
        row: dict[str, Any] = {
            "trust": float(np.mean(agreement if several else confidence)),
            "trust_score": PAIRWISE if several else SOFT_DICE,
            "members": self.members,
            "predictive_entropy_ml": self._total_entropy * self.voxel_ml,
            "mutual_information_ml": self._information * self.voxel_ml,
        }
        for index, name in enumerate(names):
            volumes_ml = self._overlaps[index].diagonal().double().numpy() * self.voxel_ml
            low, high, variation = volume_interval(volumes_ml)
            row |= {
                f"{name} pairwise_dice": float(agreement[index]) if several else None,
                f"{name} soft_dice_confidence": float(confidence[index]),
                f"{name} expected_volume_ml": float(self._sums[index, 1]) * self.voxel_ml,
                f"{name} volume_low_ml": low,
                f"{name} volume_high_ml": high,
                f"{name} volume_cv": variation,
            }
        return row


def measures_of(record: Mapping[str, Any] | None) -> Measures:
    """Return measures whose probabilities are calibrated as a calibration.json says, if there is one."""
    return Measures(calibrator_of(record))
