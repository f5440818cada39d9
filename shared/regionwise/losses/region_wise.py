"""The region-wise loss: the mean of class probabilities times a region-wise map."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ..distance import METHODS
from ..errors import InputError, did_you_mean
from ..labels import checked_spacing, plain
from ..maps import RECTIFIED_KINDS, batch_map, check_kind, checked_class_weights, own_class_magnitude
from .base import LabelLoss, at_least_float32, raise_unless_fitting, split_target
from .fused_loss import true_class_sum

TARGETS = ("labels", "map")


class RectifiedTarget(NamedTuple):
    """What a rectified map comes down to: z_i = w_i (-m_i) on the own class and w_i on the others.

    Attributes:
        labels: int64 (B, *spatial).
        magnitude: m, float32 (B, *spatial).
        emphasis: w, float32 (B, *spatial), or None for 1 everywhere.
    """

    labels: torch.Tensor
    magnitude: torch.Tensor
    emphasis: torch.Tensor | None


class RegionWiseLoss(LabelLoss):
    """L = 1/(B N C) sum_i sum_c softmax(y)_ic z_ic: Eq. 1 of Valverde & Tohka 2022.

    For a rectified map (own class -m_i, others 1) and class weights w that is, exactly and without the map,
    L = 1/(B N C) sum_i w_i [1 - p_i (1 + m_i)], with p_i the probability of the voxel's own class.
    """

    def __init__(
        self,
        kind: str = "rrw",
        target: str = "labels",
        spacing: Sequence[float] | None = None,
        class_weights: Sequence[float] | None = None,
        method: str = "auto",
    ) -> None:
        """Choose the map and the form of the target.

        Args:
            kind: the map, see `regionwise.maps.region_wise_map`.
            target: what the loss is called with, which its shape cannot tell when C is 1 or 2:
                "labels": (B, 1, *spatial) labels, or (B, 2, *spatial) labels and d̂. Given d̂, kind "rrw" uses it;
                otherwise the map is made from the labels of each image;
                "map": (B, C, *spatial), a finished map of any kind; ``kind``, spacing and weights are not used.
            spacing: voxel size along each spatial axis, for maps made here; None means voxel units.
            class_weights: emphasis, one positive factor per class (see `region_wise_map`).
            method: how distances are computed, see `regionwise.distance.normalized_distance`.

        Raises:
            InputError: an argument is none of the above.
        """
        super().__init__()
        check_kind(kind)
        if target not in TARGETS:
            raise InputError(f"there is no target form '{target}'; {did_you_mean(target, TARGETS)}")
        if method not in METHODS:
            raise InputError(f"there is no distance method '{method}'; {did_you_mean(method, METHODS)}")
        if target == "map" and not (spacing is None and class_weights is None):
            raise InputError("expected no spacing and no class_weights with target 'map': a finished map holds both")
        self.kind, self.target, self.spacing, self.method = kind, target, spacing, method
        self.register_buffer("class_weights", checked_class_weights(class_weights, None), persistent=False)

    def prepare(self, logits: torch.Tensor, target: torch.Tensor) -> RectifiedTarget | torch.Tensor:
        """Return a `RectifiedTarget` for a rectified kind, else the map (B, C, *spatial)."""
        num_classes = logits.shape[1]
        if self.target == "map":
            raise_unless_fitting(logits, target, (num_classes,))
            return plain(target)
        raise_unless_fitting(logits, target)
        given = split_target(target, num_classes)
        checked_class_weights(self.class_weights, num_classes)
        spacing = checked_spacing(self.spacing, logits.ndim - 2)
        if self.kind not in RECTIFIED_KINDS:
            return batch_map(given.labels, num_classes, self.kind, spacing, self.class_weights, self.method)
        magnitude = given.distance if self.kind == "rrw" else None
        if magnitude is None:
            magnitude = own_class_magnitude(given.labels, num_classes, self.kind, spacing, self.method)
        emphasis = None if self.class_weights is None else self.class_weights[given.labels]
        return RectifiedTarget(given.labels, magnitude, emphasis)

    def compute(self, logits: torch.Tensor, prepared: RectifiedTarget | torch.Tensor) -> torch.Tensor:
        """Return the loss value for a prepared target."""
        logits = at_least_float32(logits)
        if isinstance(prepared, torch.Tensor):
            return (torch.softmax(logits, 1) * prepared).mean()
        weights, off_class = prepared.magnitude + 1, 1.0
        if prepared.emphasis is not None:
            weights, off_class = weights * prepared.emphasis, prepared.emphasis.mean()
        return off_class / logits.shape[1] - true_class_sum(logits, prepared.labels, weights) / logits.numel()
