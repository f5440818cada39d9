"""Label arrays and spacings: the conversions and checks that maps, losses and transforms share."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch

from .errors import InputError

Array = TypeVar("Array", np.ndarray, torch.Tensor)


def as_labels(labels: np.ndarray, num_classes: int | None = None) -> np.ndarray:
    """Convert labels to an integer array, checking that every value is an integer in range.

    Args:
        labels: any integer, boolean or floating type, any shape and memory layout.
        num_classes: the number of classes, which every label must be smaller than; None means no upper bound.

    Returns:
        The array itself if it has an integer type, a uint8 view of a boolean one, else an int32 copy.

    Raises:
        InputError: If a value is negative, fractional, NaN or not smaller than num_classes.
    """
    kind = labels.dtype.kind
    if kind not in "iubf":
        raise InputError(f"expected integer labels, got an array of type {labels.dtype}")
    if not labels.size:
        return labels if kind in "iu" else labels.astype(np.uint8)
    lowest, highest = labels.min(), labels.max()
    expected = "labels >= 0" if num_classes is None else f"labels from 0 to {num_classes - 1}"
    if not lowest >= 0:  # NaN is not >= 0 either
        raise InputError(f"expected {expected}, found {lowest}")
    if highest > (np.iinfo(np.int32).max - 1 if num_classes is None else num_classes - 1):
        raise InputError(f"expected {expected}, found {highest}")
    if kind == "b":
        return labels.view(np.uint8)
    if kind == "f":
        whole = labels.astype(np.int32)
        if not np.array_equal(whole, labels):
            raise InputError(f"expected {expected}, found the fraction {labels[whole != labels].flat[0]}")
        return whole
    return labels


def as_label_tensor(labels: np.ndarray | torch.Tensor, num_classes: int | None = None) -> torch.Tensor:
    """Convert an array or a tensor on any device to int64 labels, checked as by `as_labels` (waits for the device).

    Raises:
        InputError: As in `as_labels`.
    """
    if isinstance(labels, np.ndarray):
        return torch.from_numpy(as_labels(labels, num_classes).astype(np.int64))
    labels = plain(labels)
    if labels.device.type == "cpu":
        return as_label_tensor(labels.numpy(), num_classes)
    whole = labels.long()
    if labels.is_floating_point() and not torch.equal(whole.to(labels.dtype), labels):
        raise InputError("expected integer labels, found a fraction or NaN")
    if whole.numel():
        lowest, highest = (int(value) for value in torch.aminmax(whole))
        if lowest < 0 or (num_classes is not None and highest >= num_classes):
            upper = "" if num_classes is None else f" and < {num_classes}"
            raise InputError(f"expected labels >= 0{upper}, found values from {lowest} to {highest}")
    return whole


# Interpolation and float16 may leave a probability slightly outside [0, 1], and a sum of them beside 1.
PROBABILITY_ROUNDING = 1e-3


def as_probabilities(labels: np.ndarray | torch.Tensor, num_classes: int) -> torch.Tensor:
    """Convert soft labels to a floating tensor, checking that they are probabilities (waits for the device).

    Args:
        labels: the probability of each class, (num_classes, *spatial) with 2 or 3 spatial axes, of any type.
        num_classes: C, the background included.

    Returns:
        float32 (float64 stays), (num_classes, *spatial).

    Raises:
        InputError: If the shape is another, or `check_probabilities` refuses the values.
    """
    if not isinstance(labels, np.ndarray | torch.Tensor):
        raise InputError(f"expected soft labels as a NumPy array or a tensor, got {type(labels).__name__}")
    if labels.ndim not in (3, 4) or labels.shape[0] != num_classes:
        raise InputError(
            f"expected soft labels ({num_classes}, *spatial) with 2 or 3 spatial axes, got shape {tuple(labels.shape)}"
        )
    tensor = torch.from_numpy(np.ascontiguousarray(labels)) if isinstance(labels, np.ndarray) else plain(labels)
    tensor = tensor if tensor.dtype == torch.float64 else tensor.float()
    check_probabilities(tensor, 0)
    return tensor


def check_probabilities(probabilities: torch.Tensor, axis: int) -> None:
    """Check that values are probabilities that sum to 1 along an axis, up to rounding (waits for the device).

    Raises:
        InputError: If they are not, or one is NaN.
    """
    if not probabilities.numel():
        return
    least, most = (float(value) for value in torch.aminmax(probabilities.sum(axis)))
    lowest, what = float(probabilities.amin()), "sums of 1"
    # Values that are not negative and sum to 1 are not above 1 either: one pass less.
    if lowest >= -PROBABILITY_ROUNDING and least >= 1 - PROBABILITY_ROUNDING and most <= 1 + PROBABILITY_ROUNDING:
        return
    highest = float(probabilities.amax())
    if not (lowest >= -PROBABILITY_ROUNDING and highest <= 1 + PROBABILITY_ROUNDING):
        least, most, what = lowest, highest, "values in [0, 1]"
    raise InputError(
        f"expected soft labels to be probabilities, {what} at each voxel, found {least:.4g} to {most:.4g}; "
        "the background is 1 minus the sum of the other classes"
    )


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Detach a tensor from its gradient and from MONAI's metadata, sharing memory."""
    return tensor.detach().as_subclass(torch.Tensor)


def as_spacing(spacing: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """Convert a spacing to a tuple of floats; None means 1 along each axis.

    Raises:
        InputError: If spacing has another length than ndim or holds a value that is not positive and finite.
    """
    if spacing is None:
        return (1.0,) * ndim
    values = tuple(float(value) for value in np.ravel(np.asarray(spacing, dtype=np.float64)))
    if len(values) != ndim or not all(np.isfinite(value) and value > 0 for value in values):
        raise InputError(f"expected a spacing of {ndim} positive numbers, one for each axis, got {values}")
    return values


def check_ndim(labels: np.ndarray | torch.Tensor) -> None:
    """Check that labels are an array or tensor with 2 or 3 axes.

    Raises:
        InputError: If they are not.
    """
    if not isinstance(labels, np.ndarray | torch.Tensor):
        raise InputError(f"expected labels as a NumPy array or a tensor, got {type(labels).__name__}")
    if labels.ndim not in (2, 3):
        raise InputError(f"expected labels with 2 or 3 axes, got shape {tuple(labels.shape)}")
