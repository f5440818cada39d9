"""Adaptive wing loss: a regression of soft labels that is steep near the label."""

import torch
from torch.nn.functional import max_pool2d, max_pool3d, one_hot

from ..errors import InputError
from .base import LabelLoss, Target, at_least_float32


class AdaptiveWingLoss(LabelLoss):
    """Adaptive wing loss of the softmax probabilities: the mean over voxels and classes.

    With e = |t - p| and g = alpha - t: omega log(1 + (e / epsilon)^g) if e < theta, else the line A e - B that
    continues it with the same slope. Foreground (t near 1) thus counts more than background for small errors.

    Args:
        omega: height.
        theta: error from which on the loss is linear.
        epsilon: width of the steep part.
        alpha: exponent, above 2, so that the loss has a slope of 0 at p = t.
        weight: a voxel counts 1 + weight times where t, dilated by one voxel, is at least 0.2; 0 leaves that out.
        soft: whether targets are soft labels, see `LabelLoss`.

    Raises:
        InputError: If alpha is not above 2, or another number is not positive (weight: negative).

    Source: Wang, Bo & Fuxin 2019; as regression of soft labels Gros et al. 2021 (SoftSeg). Its published code sums over
    the voxels, and dilates by an opening, which removes what it should widen.
    """

    def __init__(
        self,
        omega: float = 14.0,
        theta: float = 0.5,
        epsilon: float = 1.0,
        alpha: float = 2.1,
        weight: float = 0.0,
        soft: bool = False,
    ) -> None:
        super().__init__(soft)
        if not (alpha > 2 and min(omega, theta, epsilon) > 0 and weight >= 0):
            raise InputError(
                f"expected alpha > 2, omega, theta and epsilon > 0 and weight >= 0, found {alpha}, {omega}, {theta}, "
                f"{epsilon} and {weight}"
            )
        self.omega, self.theta, self.epsilon, self.alpha, self.weight = omega, theta, epsilon, alpha, weight

    def compute(self, logits: torch.Tensor, prepared: Target) -> torch.Tensor:
        """Compute the loss for a prepared target."""
        logits = at_least_float32(logits)
        truth = prepared.truth if prepared.soft else one_hot(prepared.truth, logits.shape[1]).movedim(-1, 1)
        truth = truth.to(logits.dtype)
        error, power = (truth - torch.softmax(logits, 1)).abs(), self.alpha - truth
        bend = (self.theta / self.epsilon) ** power
        slope = self.omega * power * bend / (self.theta * (1 + bend))
        line = slope * (error - self.theta) + self.omega * torch.log1p(bend)
        losses = torch.where(error < self.theta, self.omega * torch.log1p((error / self.epsilon) ** power), line)
        if self.weight:
            dilated = (max_pool2d if truth.ndim == 4 else max_pool3d)(truth, 3, stride=1, padding=1)
            losses = losses * (1 + self.weight * (dilated >= 0.2))
        return losses.mean()
