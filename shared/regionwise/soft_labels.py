"""Soft labels: made of labels, smoothed in mm or by neighbors, and kept soft through resampling and augmentation."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Compose, MapTransform
from monai.utils import convert_to_dst_type
from torch.nn.functional import conv2d, conv3d, pad

from .errors import InputError, did_you_mean
from .labels import as_label_tensor, as_spacing
from .maps import batch_map

SMOOTHINGS = ("none", "distance", "neighbors")


def one_hot(labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Soft labels of 0 and 1.

    Args:
        labels: (*spatial) integers from 0 to num_classes - 1.
        num_classes: C.

    Returns:
        float32 (C, *spatial).

    Raises:
        InputError: If a label is out of range.
    """
    checked = as_label_tensor(labels, num_classes)
    classes = torch.arange(num_classes, device=checked.device).view(-1, *[1] * checked.ndim)
    return (checked[None] == classes).float()


def smooth_by_distance(
    labels: torch.Tensor, num_classes: int, sigma_mm: float, spacing: Sequence[float] | None = None
) -> torch.Tensor:
    """Soft labels of a boundary that is known up to a normal error in mm: y_c = Phi(s_c / sigma), divided by their sum.

    s_c is the distance to the boundary of class c, positive inside, Phi the normal distribution function: the
    probability that the boundary, moved by an error of standard deviation sigma, leaves the voxel in the class. The
    boundary lies between voxels: the distance to the nearest voxel on its other side, less half the smallest spacing.

    Args:
        labels: (*spatial) integers from 0 to num_classes - 1, 2-D or 3-D.
        num_classes: C.
        sigma_mm: standard deviation of the boundary's position, >= 0; towards 0 the result becomes `one_hot`.
        spacing: voxel size along each axis (mm); None means 1 along each.

    Returns:
        float32 (C, *spatial), which sums to 1 at each voxel. A class that is absent has 0, one that fills the image 1.

    Raises:
        InputError: If labels or spacing are invalid, or sigma_mm is negative.

    Examples:
        >>> import torch
        >>> from regionwise.soft_labels import smooth_by_distance
        >>> labels = torch.tensor([[0, 0, 1, 1]])  # the boundary is 0.5 mm from the voxels beside it
        >>> [round(value, 3) for value in smooth_by_distance(labels, 2, sigma_mm=1.0)[1, 0].tolist()]
        [0.067, 0.309, 0.691, 0.933]
    """
    if not 0 <= sigma_mm < float("inf"):
        raise InputError(f"expected sigma_mm >= 0, found {sigma_mm}")
    spacing, hard = as_spacing(spacing, labels.ndim), one_hot(labels, num_classes)
    if sigma_mm == 0 or not hard.numel():
        return hard
    signed = batch_map(as_label_tensor(labels, num_classes)[None], num_classes, "boundary", spacing)[0]
    depth = (signed.abs() - min(spacing) / 2).clamp(min=0) * (2 * hard - 1)
    soft = torch.special.ndtr(depth / sigma_mm)
    there = hard.flatten(1).any(1)
    soft[~there] = 0
    if int(there.sum()) == 1:  # without a boundary there is no distance
        return hard
    return soft / soft.sum(0, keepdim=True)


def smooth_by_neighbors(labels: torch.Tensor, num_classes: int, sigma: float = 1.0) -> torch.Tensor:
    """Spatially varying label smoothing (SVLS): half a voxel's own class, half those of its 3 x 3 (x 3) neighbors.

    The neighbors have the weights of a Gaussian, the voxel itself their sum. Voxels beyond the image repeat its border.

    Args:
        labels: (*spatial) integers from 0 to num_classes - 1, 2-D or 3-D.
        num_classes: C.
        sigma: standard deviation of the Gaussian, in voxels, above 0.

    Returns:
        float32 (C, *spatial), which sums to 1 at each voxel; 0 and 1 wherever all neighbors have one label.

    Raises:
        InputError: If labels are invalid, or sigma is not above 0.

    Source: Islam & Glocker 2021.
    """
    if not 0 < sigma < float("inf"):
        raise InputError(f"expected sigma > 0, found {sigma}")
    hard = one_hot(labels, num_classes)
    ndim = hard.ndim - 1
    squared = sum(
        torch.tensor([1.0, 0.0, 1.0], device=hard.device).view(*[-1 if one == axis else 1 for one in range(ndim)])
        for axis in range(ndim)
    )
    kernel = torch.exp(-torch.as_tensor(squared) / (2 * sigma**2))
    center = (1,) * ndim
    kernel[center] = 0
    kernel[center] = kernel.sum()
    kernel = (kernel / kernel.sum())[None, None]
    padded = pad(hard[:, None], [1] * 2 * ndim, mode="replicate")
    return (conv2d if ndim == 2 else conv3d)(padded, kernel)[:, 0]


class SoftLabelsd(MapTransform):
    """Turn labels (1, *spatial) into soft labels float32 (C, *spatial), before what resamples or augments them.

    Linear interpolation of these channels keeps partial volumes that one of labels would round away.

    Args:
        keys: the label maps.
        num_classes: C.
        smoothing: "none" (`one_hot`), "distance" (`smooth_by_distance`) or "neighbors" (`smooth_by_neighbors`).
        sigma: in mm for "distance", in voxels for "neighbors".
        allow_missing_keys: do nothing for data without the key.

    Raises:
        InputError: If there is no such smoothing.
    """

    def __init__(
        self,
        keys: KeysCollection = "label",
        num_classes: int = 2,
        smoothing: str = "none",
        sigma: float = 1.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if smoothing not in SMOOTHINGS:
            raise InputError(f"Unknown smoothing '{smoothing}'; {did_you_mean(smoothing, SMOOTHINGS)}")
        self.num_classes, self.smoothing, self.sigma = num_classes, smoothing, sigma

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace the labels; a MetaTensor keeps its affine and gives the spacing, else voxels have 1 mm.

        Raises:
            InputError: If a label map has another number of channels than one, or holds a value that is no label.
        """
        result = dict(data)
        for key in self.key_iterator(result):
            label = result[key]
            if label.shape[0] != 1:
                raise InputError(f"expected '{key}' with one channel (1, *spatial), got shape {tuple(label.shape)}")
            labels = torch.as_tensor(label)[0].as_subclass(torch.Tensor)
            if self.smoothing == "distance":
                spacing = tuple(map(float, label.pixdim))[: labels.ndim] if isinstance(label, MetaTensor) else None
                soft = smooth_by_distance(labels, self.num_classes, self.sigma, spacing)
            elif self.smoothing == "neighbors":
                soft = smooth_by_neighbors(labels, self.num_classes, self.sigma)
            else:
                soft = one_hot(labels, self.num_classes)
            result[key] = convert_to_dst_type(soft, label, dtype=torch.float32)[0]
        return result


class CompleteBackgroundd(MapTransform):
    """Set the background of soft labels to 1 minus the sum of the other classes, as it is outside an image.

    Interpolation and zeros from outside leave probabilities that sum to less than 1.

    Args:
        keys: soft labels (C, *spatial), or (C + 1, *spatial) with the normalized distance d̂ last.
        num_classes: C.
    """

    def __init__(self, keys: KeysCollection = "label", num_classes: int = 2) -> None:
        super().__init__(keys)
        self.num_classes = num_classes

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace channel 0; the other classes are clipped to [0, 1] and divided by their sum where it is above 1.

        Raises:
            InputError: If the channels are neither C nor C + 1.
        """
        result = dict(data)
        for key in self.keys:
            soft = result[key].clone()
            if soft.shape[0] not in (self.num_classes, self.num_classes + 1):
                raise InputError(
                    f"expected '{key}' as soft labels of {self.num_classes} classes, with or without d̂, got "
                    f"{soft.shape[0]} channels; SoftLabelsd in the preprocessing makes them"
                )
            classes = soft[1 : self.num_classes].clamp_(0, 1)
            classes /= classes.sum(0, keepdim=True).clamp_(min=1)
            soft[0] = 1 - classes.sum(0)
            result[key] = soft
        return result


def soft_augmentation(augmentation: Compose, num_classes: int) -> Compose:
    """Return an augmentation followed by `CompleteBackgroundd`.

    Args:
        augmentation: random transforms of ``image`` and soft ``label``, which interpolate both linearly (of
            `regionwise.training.nnunet_augmentation`, with ``linear_labels``).
        num_classes: C.
    """
    return Compose([*augmentation.transforms, CompleteBackgroundd("label", num_classes)])


def normalized_relu(output: torch.Tensor) -> torch.Tensor:
    """Soft segmentation of a network's output: max(x, 0), divided by its largest value in each volume and class.

    Args:
        output: (B, C, *spatial).

    Returns:
        Of the same shape, in [0, 1]; 0 where a class has no positive value.

    Source: Gros et al. 2021 (SoftSeg), whose published code divides by the largest value of the whole batch and all
    classes, so that the result for one volume depends on the others.
    """
    positive = output.relu()
    largest = positive.flatten(2).amax(2).view(*output.shape[:2], *[1] * (output.ndim - 2))
    return positive / torch.where(largest > 0, largest, 1)
