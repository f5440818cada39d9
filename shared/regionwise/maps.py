"""Region-wise maps: the weights, computed from labels, that a region-wise loss multiplies the probabilities with."""

from collections.abc import Sequence

import numpy as np
import torch

from .distance import batch_distance, other_voxels
from .errors import InputError, did_you_mean
from .labels import Array, as_label_tensor, as_labels, as_probabilities, as_spacing, check_ndim, plain

# Rectified by construction: -m at the voxel's true class, 1 at every other class (m: `true_class_magnitude`).
RECTIFIED_KINDS = ("rrw", "active_contour", "cao", "inverse_distance")
# One distance map per class: -d(i, c)^power inside class c, +d(i, c)^power outside.
SIGNED_POWERS = {"boundary": 1, "hausdorff_one_sided": 2}
KINDS = (*RECTIFIED_KINDS, *SIGNED_POWERS)


def region_wise_map(
    labels: Array,
    num_classes: int,
    kind: str = "rrw",
    spacing: Sequence[float] | None = None,
    class_weights: Sequence[float] | None = None,
    backend: str = "auto",
    soft: bool = False,
) -> Array:
    """Region-wise map z of a label array: z_ic is the weight of the probability of class c at voxel i.

    With y_i the label of voxel i, d_i its distance to the nearest voxel of another label, d̂_i that distance as a share
    of the label's largest, and d_ic the distance from voxel i to the nearest voxel on the other side of class c's
    boundary (outside c for a voxel of c, in c for all others), as SciPy's distance_transform_edt measures it:

    - rrw: -d̂_i if c = y_i, else 1 (Eq. 4; Valverde & Tohka 2022)
    - boundary: -d_ic if c = y_i, else +d_ic (Eq. 3, not normalized; Kervadec et al. 2019); 0 for a class that is
      absent or fills the array, because it has no boundary
    - hausdorff_one_sided: the same with d_ic squared (Karimi & Salcudean 2019, the side of the reference)
    - active_contour: 0 if c = y_i, else 1 (Chen et al. 2019, without the length term)
    - cao: -1 if c = y_i, else 1 (Cao et al. 2020)
    - inverse_distance: -s / d_i if c = y_i, else 1, with s the smallest spacing: a weight in (0, 1] that is large
      near the boundary, 0 for a label that fills the array (after Caliva et al. 2019)

    The map of soft labels y is the expected map: the class of voxel i is drawn with the probabilities y_i, and all
    distances are those of the most probable classes. With m_i the magnitude above (z_ic = -m_i on the true class),

    - rectified kinds: z_ic = (1 - y_ic) - y_ic m_i
    - boundary, hausdorff_one_sided: z_ic = d_ic (1 - 2 y_ic), or its square

    which for probabilities 0 and 1 is the map of those labels.

    Args:
        labels: integers from 0 to num_classes - 1 of any integer, boolean or floating type, 2-D or 3-D, any memory
            layout; with ``soft``, the probability of each class, floating (num_classes, *spatial).
        num_classes: C, the background included.
        kind: one of the names above.
        spacing: voxel size along each axis (mm); None means 1 along each.
        class_weights: one positive factor per class: all of z_i is multiplied by that of voxel i's class.
        backend: implementation of the distance, see `regionwise.distance.normalized_distance`.
        soft: whether labels are soft; with class_weights w, z_i of soft labels is the expected w z_i.

    Returns:
        float32 (C, *spatial), of the labels' kind (NumPy array, or tensor on the same device).

    Raises:
        InputError: If labels, num_classes, kind, spacing or class_weights are not as above.

    Examples:
        >>> import numpy as np
        >>> from regionwise.maps import region_wise_map
        >>> labels = np.array([[0, 0, 1, 1]])
        >>> region_wise_map(labels, num_classes=2).tolist()  # RRW: -d̂ at the true class, 1 at the other
        [[[-1.0, -0.5, 1.0, 1.0]], [[1.0, 1.0, -0.5, -1.0]]]
        >>> region_wise_map(labels, 2, "boundary", spacing=(1.0, 1.5))[1].tolist()  # mm, negative inside
        [[3.0, 1.5, -1.5, -3.0]]
        >>> probabilities = np.array([[[1, 0.75, 0, 0]], [[0, 0.25, 1, 1]]])
        >>> region_wise_map(probabilities, 2, soft=True)[0].tolist()  # at voxel 1: 0.25 - 0.75 * 0.5
        [[-1.0, -0.125, 1.0, 1.0]]
    """
    check_kind(kind)
    if isinstance(num_classes, bool) or num_classes != int(num_classes) or num_classes < 1:
        raise InputError(f"expected num_classes to be an integer >= 1, got {num_classes}")
    if soft:
        return _soft_map(labels, num_classes, kind, spacing, class_weights, backend)
    check_ndim(labels)
    spacing = as_spacing(spacing, labels.ndim)
    weights = as_class_weights(class_weights, num_classes)
    if isinstance(labels, np.ndarray):
        checked = as_labels(labels, num_classes)
        if checked.flags.f_contiguous and not checked.flags.c_contiguous:  # NIfTI's order; handled without a copy
            z = batch_map(_tensor(checked.T)[None], num_classes, kind, spacing[::-1], weights, backend)[0]
            return z.permute(0, *range(labels.ndim, 0, -1)).numpy()
        return batch_map(_tensor(checked)[None], num_classes, kind, spacing, weights, backend)[0].numpy()
    return batch_map(as_label_tensor(labels, num_classes)[None], num_classes, kind, spacing, weights, backend)[0]


def batch_map(
    labels: torch.Tensor,
    num_classes: int,
    kind: str,
    spacing: Sequence[float],
    class_weights: torch.Tensor | None = None,
    backend: str = "auto",
) -> torch.Tensor:
    """Region-wise maps of a batch: for each image what `region_wise_map` gives, without its checks.

    Distances never cross from one image to the next, and the largest distance of a label is that in its own image.

    Args:
        labels: integers (B, *spatial) from 0 to num_classes - 1, 2-D or 3-D; a value outside gives a wrong map, not an
            error.
        num_classes: C, the background included.
        kind: one of `KINDS`.
        spacing: voxel size along each spatial axis (mm).
        class_weights: float32 (C,), the factor of each voxel's label, from `as_class_weights`; None leaves the map.
        backend: implementation of the distance, see `regionwise.distance.normalized_distance`.

    Returns:
        float32 (B, C, *spatial) on the labels' device; no images or no voxels give an empty tensor of that shape.

    Examples:
        >>> import torch
        >>> from regionwise.maps import batch_map
        >>> labels = torch.tensor([[[0, 0, 1, 1]], [[0, 1, 1, 1]]])
        >>> [[round(value, 2) for value in one] for one in batch_map(labels, 2, "rrw", (1.0, 1.0))[:, 1, 0].tolist()]
        [[1.0, 1.0, -0.5, -1.0], [1.0, -0.33, -0.67, -1.0]]
    """
    z = _empty((len(labels), num_classes, *labels.shape[1:]), labels.device)
    if kind in SIGNED_POWERS:
        for c in range(num_classes):
            z[:, c] = _signed_distance(labels == c, SIGNED_POWERS[kind], spacing, backend)
    else:
        _scatter(z, labels, true_class_magnitude(labels, num_classes, kind, spacing, backend).neg_())
    if class_weights is not None:
        z *= class_weights.to(labels.device)[labels.long()][:, None]
    return z


def soft_batch_map(
    probabilities: torch.Tensor,
    kind: str,
    spacing: Sequence[float],
    class_weights: torch.Tensor | None = None,
    backend: str = "auto",
) -> torch.Tensor:
    """Region-wise maps of a batch of soft labels: the map that is expected if classes are drawn, without its checks.

    `region_wise_map` has the definition. Probabilities of 0 and 1 give the maps of those labels.

    Args:
        probabilities: floating (B, C, *spatial), which sum to 1 over C; not checked.
        kind: one of `KINDS`.
        spacing: voxel size along each spatial axis (mm).
        class_weights: float32 (C,), from `as_class_weights`; the expected weighted map, since the weight is drawn with
            the class. None leaves the map.
        backend: implementation of the distance, see `regionwise.distance.normalized_distance`.

    Returns:
        float32 (B, C, *spatial) on the probabilities' device.

    Examples:
        >>> import torch
        >>> from regionwise.maps import soft_batch_map
        >>> probabilities = torch.tensor([[[[1, 0.75, 0, 0]], [[0, 0.25, 1, 1]]]])
        >>> soft_batch_map(probabilities, "rrw", (1.0, 1.0))[0, 0, 0].tolist()  # at voxel 1: 0.25 - 0.75 * 0.5
        [-1.0, -0.125, 1.0, 1.0]
    """
    labels, num_classes = probabilities.argmax(1), probabilities.shape[1]
    weighted = weighted_probabilities(probabilities, class_weights).float()
    total = weighted.sum(1, keepdim=True)
    if kind in SIGNED_POWERS:
        distance = batch_map(labels, num_classes, kind, spacing, None, backend).abs_()
        return distance * (total - 2 * weighted)
    magnitude = true_class_magnitude(labels, num_classes, kind, spacing, backend)
    return total - weighted * (1 + magnitude[:, None])


def weighted_probabilities(probabilities: torch.Tensor, class_weights: torch.Tensor | None) -> torch.Tensor:
    """Soft labels times the weight of each class: w_c y_c.

    Args:
        probabilities: floating (B, C, *spatial).
        class_weights: (C,); None leaves the probabilities.

    Returns:
        Of the shape and type of the probabilities.
    """
    if class_weights is None:
        return probabilities
    return probabilities * class_weights.to(probabilities).view(-1, *[1] * (probabilities.ndim - 2))


def true_class_magnitude(
    labels: torch.Tensor, num_classes: int, kind: str, spacing: Sequence[float], backend: str = "auto"
) -> torch.Tensor:
    """Magnitude m of a rectified kind, whose map is -m at the voxel's true class and 1 at the others.

    Args:
        labels: integers (B, *spatial) from 0 to num_classes - 1; not checked.
        num_classes: C, the background included.
        kind: one of `RECTIFIED_KINDS`.
        spacing: voxel size along each spatial axis (mm).
        backend: implementation of the distance, see `regionwise.distance.normalized_distance`.

    Returns:
        float32 (B, *spatial) on the labels' device, in [0, 1].

    Examples:
        >>> import torch
        >>> from regionwise.maps import true_class_magnitude
        >>> true_class_magnitude(torch.tensor([[[0, 0, 1, 1]]]), 2, "rrw", (1.0, 1.0)).tolist()
        [[[1.0, 0.5, 0.5, 1.0]]]
    """
    if kind == "rrw":
        return batch_distance(labels, spacing, True, backend, num_classes)
    if kind == "inverse_distance":
        return min(spacing) / batch_distance(labels, spacing, False, backend, num_classes)
    return torch.full(labels.shape, 1.0 if kind == "cao" else 0.0, device=labels.device)


def rectify(rw_map: Array, labels: Array) -> Array:
    """Rectified map: at each voxel, the values of all classes but the true one are replaced by their mean.

    The value of the true class and the sum over classes are unchanged, and so is a map that is rectified already.

    Args:
        rw_map: float (C, *spatial).
        labels: integers from 0 to C - 1, (*spatial), of the map's kind (array or tensor).

    Returns:
        Of the map's shape, type and kind. With one class there is nothing to replace: a copy.

    Raises:
        InputError: If shapes do not fit, or labels are not integers from 0 to C - 1.

    Source: the rectification principle of Valverde & Tohka 2022.

    Examples:
        >>> import numpy as np
        >>> from regionwise.maps import rectify
        >>> boundary = np.array([[[-1.0]], [[2.0]], [[4.0]]], np.float32)  # one voxel of class 0, of three classes
        >>> rectify(boundary, np.array([[0]]))[:, 0, 0].tolist()
        [-1.0, 3.0, 3.0]
    """
    z, true = _map_and_true_class(rw_map, labels)
    off = z.masked_fill(true, 0).sum(0, keepdim=True) / max(len(z) - 1, 1)
    result = torch.where(true, z, off)
    return result.numpy() if isinstance(rw_map, np.ndarray) else result


def is_rectified(rw_map: Array, labels: Array, tolerance: float = 1e-6) -> bool:
    """Whether a map is rectified: per voxel, the wrong classes share one value that is not below the true one's.

    Then gradient descent raises the logit of the voxel's true class only, whatever the prediction is.

    Args:
        rw_map: float (C, *spatial).
        labels: integers from 0 to C - 1, (*spatial), of the map's kind.
        tolerance: the largest difference that is ignored, relative to the map's largest magnitude.

    Returns:
        True also for a map of one class or without voxels.

    Raises:
        InputError: If shapes do not fit, or labels are not integers from 0 to C - 1.
    """
    z, true = _map_and_true_class(rw_map, labels)
    if not z.numel() or len(z) == 1:
        return True
    margin = tolerance * float(z.abs().max())
    lowest = z.masked_fill(true, torch.inf).amin(0)
    highest = z.masked_fill(true, -torch.inf).amax(0)
    on = z.masked_fill(~true, 0).sum(0)
    return bool(((highest - lowest <= margin) & (on <= lowest + margin)).all())


def check_kind(kind: str) -> None:
    """Check the name of a map.

    Raises:
        InputError: If there is no map of this name; the message suggests the nearest.
    """
    if kind not in KINDS:
        raise InputError(f"Unknown region-wise map '{kind}'; {did_you_mean(kind, KINDS)}")


def as_class_weights(
    class_weights: Sequence[float] | torch.Tensor | None, num_classes: int | None
) -> torch.Tensor | None:
    """Class weights as a float32 tensor (C,); None is returned as it is.

    Args:
        class_weights: one positive number per class.
        num_classes: C; None accepts any number of them.

    Raises:
        InputError: If they are not positive and finite, or not num_classes (None: any number) of them.
    """
    if class_weights is None:
        return None
    weights = torch.as_tensor(class_weights, dtype=torch.float32).reshape(-1)
    wrong_number = num_classes is not None and len(weights) != num_classes
    if wrong_number or not bool((torch.isfinite(weights) & (weights > 0)).all()):
        number = "" if num_classes is None else f"{num_classes} "
        raise InputError(f"expected {number}positive class weights, got {weights.tolist()}")
    return weights


def _soft_map(
    probabilities: Array,
    num_classes: int,
    kind: str,
    spacing: Sequence[float] | None,
    class_weights: Sequence[float] | None,
    backend: str,
) -> Array:
    checked = as_probabilities(probabilities, num_classes)
    spacing = as_spacing(spacing, checked.ndim - 1)
    weights = as_class_weights(class_weights, num_classes)
    z = soft_batch_map(checked[None], kind, spacing, weights, backend)[0]
    return z.numpy() if isinstance(probabilities, np.ndarray) else z


def _signed_distance(inside: torch.Tensor, power: int, spacing: Sequence[float], backend: str) -> torch.Tensor:
    """Distance to the other side of a mask's boundary, negative inside; 0 where there is no boundary."""
    distance = batch_distance(inside.to(torch.uint8), spacing, False, backend, 2)
    distance = distance.masked_fill_(distance.isinf(), 0).pow_(power)
    return torch.where(inside, -distance, distance)


def _scatter(z: torch.Tensor, labels: torch.Tensor, true: torch.Tensor) -> None:
    """Fill z with 1, and with ``true`` at each voxel's true class."""
    if z.device.type != "cpu":
        z.fill_(1).scatter_(1, labels[:, None].long(), true[:, None])
        return
    z.fill_(1)  # first touch on all threads: page faults dominate for large arrays
    # scatter needs 64-bit indices, which for a whole volume cost more than the map.
    for z_image, labels_image, true_image in zip(
        z.flatten(2).numpy(), labels.numpy(), true.flatten(1).numpy(), strict=True
    ):
        main = labels_image.flat[0] if labels_image.size else 0
        for part, index, label in other_voxels(labels_image, main):
            piece = true_image[part]
            z_image[main, part] = piece
            z_image[main, part][index] = 1
            z_image[label, part.start + index] = piece[index]


def _map_and_true_class(rw_map: Array, labels: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Convert the map to a tensor, and return it with the mask (C, *spatial) of each voxel's true class."""
    check_ndim(labels)
    if tuple(rw_map.shape[1:]) != tuple(labels.shape) or rw_map.ndim != labels.ndim + 1:
        raise InputError(f"expected a map of shape (C, {', '.join(map(str, labels.shape))}), got {tuple(rw_map.shape)}")
    z = plain(rw_map) if isinstance(rw_map, torch.Tensor) else _tensor(rw_map)
    checked = as_label_tensor(labels, len(z)).to(z.device)
    classes = torch.arange(len(z), device=z.device).view(-1, *[1] * labels.ndim)
    return z, checked[None] == classes


def _empty(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    # NumPy asks for huge pages and torch does not: touching a large new array is 4 times as fast.
    return torch.from_numpy(np.empty(shape, np.float32)) if device.type == "cpu" else torch.empty(shape, device=device)


def _tensor(array: np.ndarray) -> torch.Tensor:
    """Return a tensor of an array, over the same memory where torch can (writeable, no negative stride)."""
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)
