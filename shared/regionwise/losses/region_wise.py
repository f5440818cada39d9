"""Region-wise loss: the mean of class probabilities weighted by a region-wise map."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ..distance import BACKENDS
from ..errors import InputError, did_you_mean
from ..labels import as_spacing, plain
from ..maps import (
    RECTIFIED_KINDS,
    as_class_weights,
    batch_map,
    check_kind,
    soft_batch_map,
    true_class_magnitude,
    weighted_probabilities,
)
from .base import LabelLoss, Target, at_least_float32, check_target
from .fused_loss import true_class_sum

TARGETS = ("labels", "map")


class RectifiedTarget(NamedTuple):
    """A rectified map in compact form: z_i = -w_i m_i at the true class and w_i at the others.

    Attributes:
        labels: int64 (B, *spatial).
        magnitude: m, float32 (B, *spatial).
        voxel_weights: w, the class weight of each voxel's true class, float32 (B, *spatial), or None for 1 everywhere.
    """

    labels: torch.Tensor
    magnitude: torch.Tensor
    voxel_weights: torch.Tensor | None


class SoftRectifiedTarget(NamedTuple):
    """A rectified map of soft labels in compact form: z_ic = sum_k v_ik - v_ic (1 + m_i).

    Attributes:
        truth: v, the probability of each class times its weight, (B, C, *spatial).
        magnitude: m, float32 (B, *spatial).
    """

    truth: torch.Tensor
    magnitude: torch.Tensor


class RegionWiseLoss(LabelLoss):
    """Region-wise loss: mean of the softmax probabilities weighted by a region-wise map z.

    L = 1/(B N C) sum_i sum_c softmax(y)_ic z_ic

    For a rectified map (-m_i at the true class, 1 at the others) and class weights w that is, exactly and without the
    map, L = 1/(B N C) sum_i w_i [1 - p_i (1 + m_i)], with p_i the probability of the voxel's true class.

    The map of soft labels is the expected one, see `regionwise.maps.region_wise_map`; the loss stays linear in p, so
    that its minimum lies at the class with the smallest z, not at p = y (`DiceSemimetricLoss` has it there).

    Args:
        kind: the map, see `regionwise.maps.region_wise_map`.
        target: what the loss is called with, which its shape cannot tell when C is 1 or 2.

            - "labels": (B, 1, *spatial) labels, or (B, 2, *spatial) labels and d̂. Given d̂, kind "rrw" uses it;
              otherwise the map is computed from the labels of each image.
            - "map": (B, C, *spatial), a finished map of any kind; ``kind``, spacing and weights are not used.
        spacing: voxel size along each spatial axis (mm), for maps computed here; None means voxel units.
        class_weights: one positive factor per class: the map is multiplied by that of each voxel's true class.
        backend: implementation of the distance, see `regionwise.distance.normalized_distance`.
        soft: whether targets are soft labels, (B, C, *spatial) or with d̂ (B, C + 1, *spatial).

    Raises:
        InputError: If an argument is none of the above.

    Source: Valverde & Tohka 2022, Eq. 1.

    Examples:
        >>> import torch
        >>> from regionwise.losses import RegionWiseLoss
        >>> labels = torch.tensor([[[[0, 0, 1, 1]]]])  # (B, 1, *spatial)
        >>> logits = torch.zeros(1, 2, 1, 4, requires_grad=True)  # (B, C, *spatial)
        >>> loss = RegionWiseLoss()(logits, labels)  # d̂ is 1, 0.5, 0.5, 1
        >>> round(loss.item(), 4)
        0.0625
        >>> loss.backward()
        >>> (logits.grad < 0).sum(1).tolist()  # one negative component at each voxel
        [[[1, 1, 1, 1]]]
    """

    class_weights: torch.Tensor | None

    def __init__(
        self,
        kind: str = "rrw",
        target: str = "labels",
        spacing: Sequence[float] | None = None,
        class_weights: Sequence[float] | None = None,
        backend: str = "auto",
        soft: bool = False,
    ) -> None:
        super().__init__(soft)
        check_kind(kind)
        if target not in TARGETS:
            raise InputError(f"Unknown target form '{target}'; {did_you_mean(target, TARGETS)}")
        if backend not in BACKENDS:
            raise InputError(f"Unknown distance backend '{backend}'; {did_you_mean(backend, BACKENDS)}")
        if target == "map" and not (spacing is None and class_weights is None and not soft):
            raise InputError(
                "expected no spacing, no class_weights and no soft labels with target 'map': a finished map holds them"
            )
        self.kind, self.target, self.spacing, self.backend = kind, target, spacing, backend
        self.register_buffer("class_weights", as_class_weights(class_weights, None), persistent=False)

    def prepare(
        self, logits: torch.Tensor, target: torch.Tensor
    ) -> RectifiedTarget | SoftRectifiedTarget | torch.Tensor:
        """Compute a `RectifiedTarget` (`SoftRectifiedTarget`) for a rectified kind, else the map (B, C, *spatial)."""
        if self.target == "map":
            check_target(logits, target, (logits.shape[1],))
            return plain(target)
        given = self.split(logits, target)
        num_classes = logits.shape[1]
        as_class_weights(self.class_weights, num_classes)
        spacing = as_spacing(self.spacing, logits.ndim - 2)
        if self.soft:
            return self._prepare_soft(given, spacing)
        if self.kind not in RECTIFIED_KINDS:
            return batch_map(given.labels, num_classes, self.kind, spacing, self.class_weights, self.backend)
        magnitude = given.distance if self.kind == "rrw" else None
        if magnitude is None:
            magnitude = true_class_magnitude(given.labels, num_classes, self.kind, spacing, self.backend)
        voxel_weights = None if self.class_weights is None else self.class_weights[given.labels]
        return RectifiedTarget(given.labels, magnitude, voxel_weights)

    def _prepare_soft(self, given: Target, spacing: Sequence[float]) -> SoftRectifiedTarget | torch.Tensor:
        if self.kind not in RECTIFIED_KINDS:
            return soft_batch_map(given.truth, self.kind, spacing, self.class_weights, self.backend)
        magnitude = given.distance if self.kind == "rrw" else None
        if magnitude is None:
            magnitude = true_class_magnitude(given.labels, given.truth.shape[1], self.kind, spacing, self.backend)
        return SoftRectifiedTarget(weighted_probabilities(given.truth, self.class_weights), magnitude)

    def compute(
        self, logits: torch.Tensor, prepared: RectifiedTarget | SoftRectifiedTarget | torch.Tensor
    ) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        logits = at_least_float32(logits)
        if isinstance(prepared, torch.Tensor):
            return (torch.softmax(logits, 1) * prepared).mean()
        if isinstance(prepared, SoftRectifiedTarget):
            true_class = (torch.softmax(logits, 1) * prepared.truth).sum(1) * (1 + prepared.magnitude)
            return (prepared.truth.sum() - true_class.sum()) / logits.numel()
        weights = prepared.magnitude + 1
        off_class: float | torch.Tensor = 1.0
        if prepared.voxel_weights is not None:
            weights, off_class = weights * prepared.voxel_weights, prepared.voxel_weights.mean()
        return off_class / logits.shape[1] - true_class_sum(logits, prepared.labels, weights) / logits.numel()
