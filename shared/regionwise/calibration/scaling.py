"""Temperature, bias-corrected and vector scaling of logits, fitted by maximum likelihood."""

from dataclasses import dataclass

import torch

from ..errors import InputError, did_you_mean

METHODS = ("temperature", "bias", "vector")
AHEAD = 1e-3
"""Share by which a most probable class stays ahead of one that would pass it."""
SMALLEST = 1e-30
"""Probability whose logarithm stands for that of 0."""


@dataclass(frozen=True)
class Scaling:
    """Scaled logits z' = (z - shift) / temperature, per class.

    Attributes:
        temperature: One positive number per class; above 1 the network was too sure. All alike: the most probable
            class stays the same.
        shift: One number per class.
    """

    temperature: tuple[float, ...]
    shift: tuple[float, ...]

    @property
    def keeps_labels(self) -> bool:
        """Whether the most probable class is the same before and after."""
        return len(set(self.temperature)) == 1 and len(set(self.shift)) == 1

    def scale_probabilities(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Scale class probabilities (C, *spatial), see `scale_probabilities`."""
        return scale_probabilities(probabilities, self)


def fit_scaling(
    logits: torch.Tensor,
    labels: torch.Tensor,
    method: str = "temperature",
    weights: torch.Tensor | None = None,
) -> Scaling:
    """Fit the scaling of the highest likelihood.

    Args:
        logits: Float tensor (N, C), or logarithms of probabilities: a constant per row changes nothing.
        labels: int64 (N,), the true classes.
        method: "temperature" (one number), "bias" (and a shift per class, which may change labels), or "vector" (and a
            temperature per class; of logits only, not of logarithms of probabilities).
        weights: Float (N,), of the rows; None: all alike.

    Returns:
        The scaling.

    Raises:
        InputError: If the method is unknown, there is no row, or a logit is not finite.

    Source: Guo et al., ICML 2017; for "bias" Alexandari et al., ICML 2020.

    Examples:
        >>> random = torch.Generator().manual_seed(0)
        >>> true = torch.randn(20000, 3, generator=random, dtype=torch.float64)
        >>> labels = torch.multinomial(true.softmax(1), 1, generator=random)[:, 0]
        >>> [round(one, 1) for one in fit_scaling(3 * true, labels).temperature]
        [3.0, 3.0, 3.0]
    """
    if method not in METHODS:
        raise InputError(f"Unknown --method '{method}'; {did_you_mean(method, METHODS)}")
    if not logits.numel() or not torch.isfinite(logits).all():
        raise InputError(f"expected finite logits of at least one voxel, found {tuple(logits.shape)} with NaN or none")
    rows, classes = logits.double(), logits.shape[1]
    share = torch.ones(len(rows), dtype=torch.float64) if weights is None else weights.double()
    share = share / share.sum()
    # The logarithm of the inverse temperature: any number is a positive temperature, and the loss is nearly quadratic.
    inverse = torch.zeros(classes if method == "vector" else 1, dtype=torch.float64, requires_grad=True)
    offset = torch.zeros(classes, dtype=torch.float64, requires_grad=method != "temperature")
    parameters = [inverse] if method == "temperature" else [inverse, offset]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=200, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = rows * inverse.exp() + offset
        value = (share * (scores.logsumexp(1) - scores.gather(1, labels[:, None])[:, 0])).sum()
        value.backward()
        return value

    optimizer.step(loss)
    temperature = (-inverse.detach()).exp().expand(classes)
    # Of z * a + b, b has no effect on the softmax up to a constant.
    centered = offset.detach() - offset.detach().mean()
    shift = -centered * temperature
    return Scaling(tuple(temperature.tolist()), tuple(shift.tolist()))


def scale_logits(logits: torch.Tensor, scaling: Scaling) -> torch.Tensor:
    """Scale logits: (z - shift) / temperature.

    Args:
        logits: Float tensor (C, *spatial).
        scaling: Of C classes.

    Raises:
        InputError: If the number of classes differs.
    """
    if len(logits) != len(scaling.temperature):
        raise InputError(f"expected {len(scaling.temperature)} classes, as calibrated, found {len(logits)}")
    shape = (-1, *[1] * (logits.ndim - 1))
    temperature, shift = (logits.new_tensor(one).reshape(shape) for one in (scaling.temperature, scaling.shift))
    return (logits - shift) / temperature


def keep_labels(scaled: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    """Scaled probabilities whose most probable classes are those before: raised to just above any that passed them.

    A scaling that keeps the order of the classes needs it too: rounding makes equal what was nearly so.

    Args:
        scaled: Float tensor (C, *spatial), >= 0; changed in place.
        probabilities: As they were before the scaling.

    Returns:
        ``scaled``, which sums to 1 over C.
    """
    first = probabilities.argmax(0, keepdim=True)
    others = scaled.scatter(0, first, 0).amax(0, keepdim=True)
    scaled.scatter_(0, first, torch.maximum(scaled.gather(0, first), others * (1 + AHEAD)))
    return scaled.div_(scaled.sum(0))


def scale_probabilities(probabilities: torch.Tensor, scaling: Scaling) -> torch.Tensor:
    """Scale class probabilities: softmax((ln p - shift) / temperature).

    Args:
        probabilities: Float tensor (C, *spatial).
        scaling: Of C classes, with one temperature for all.

    Returns:
        Float tensor (C, *spatial) that sums to 1 over C.

    Raises:
        InputError: If the number of classes or their temperatures differ: those scale logits, which probabilities are
            not.
    """
    if len(set(scaling.temperature)) > 1:
        raise InputError("a temperature per class scales logits; probabilities take one temperature for all classes")
    return scale_logits(probabilities.clamp(min=SMALLEST).log(), scaling).softmax(0)
