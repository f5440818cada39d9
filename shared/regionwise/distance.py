"""Exact Euclidean distance from every voxel to the nearest voxel of another label."""

from collections.abc import Callable, Iterator, Sequence

import edt
import numpy as np
import torch

from .distance_torch import torch_label_distance, torch_normalize
from .errors import InputError, did_you_mean
from .labels import Array, as_label_tensor, as_labels, as_spacing, check_ndim, plain

BACKENDS = ("auto", "edt", "torch")

# Voxels handled at a time after the distance pass: what is touched stays in the cache, temporaries stay small.
_CHUNK = 1 << 16
# edt's threads pay from about this many voxels on. Workers of a data loader have one thread (torch sets that).
_PARALLEL_FROM = 1 << 20


def normalized_distance(labels: Array, spacing: Sequence[float] | None = None, backend: str = "auto") -> Array:
    """Normalized distance d̂: distance to the nearest voxel of another label, divided by the largest one of the label.

    d̂_i = d_i / max_{k: label_k = label_i} d_k, with d_i the Euclidean distance between voxel centers. Exact.

    Args:
        labels: integers >= 0 of any integer, boolean or floating type, 2-D or 3-D, any memory layout.
        spacing: voxel size along each axis (mm); None means 1 along each.
        backend: "edt" (C++, in CPU memory), "torch" (on the labels' device) or "auto" (edt for labels in CPU memory).

    Returns:
        float32 of the labels' shape and kind (NumPy array, or tensor on the same device), in (0, 1]. A label that
        fills the array has no boundary: 1 everywhere.

    Raises:
        InputError: If labels are negative, fractional, NaN or neither 2-D nor 3-D, or spacing has another length or is
            not positive.

    Source: Valverde & Tohka 2022, Eq. 4.

    Examples:
        >>> import numpy as np
        >>> from regionwise.distance import normalized_distance
        >>> normalized_distance(np.array([[0, 0, 0, 0, 1, 1]])).tolist()
        [[1.0, 0.75, 0.5, 0.25, 0.5, 1.0]]
        >>> normalized_distance(np.zeros((1, 3), np.uint8)).tolist()  # no boundary
        [[1.0, 1.0, 1.0]]
    """
    check_ndim(labels)
    spacing = as_spacing(spacing, labels.ndim)
    if choose_backend(backend, labels) == "torch":
        tensor = as_label_tensor(labels)[None]
        return _like(torch_normalize(torch_label_distance(tensor, spacing), tensor)[0], labels)
    return _like(edt_normalized_distance(_as_array(labels), spacing), labels)


def label_distance(labels: Array, spacing: Sequence[float] | None = None, backend: str = "auto") -> Array:
    """Euclidean distance of each voxel to the nearest voxel of another label.

    Args:
        labels: as in `normalized_distance`.
        spacing: as in `normalized_distance`.
        backend: as in `normalized_distance`.

    Returns:
        float32 of the labels' shape and kind, in the unit of spacing; infinity where there is no other label.

    Raises:
        InputError: As in `normalized_distance`.
    """
    check_ndim(labels)
    spacing = as_spacing(spacing, labels.ndim)
    if choose_backend(backend, labels) == "torch":
        return _like(torch_label_distance(as_label_tensor(labels)[None], spacing)[0], labels)
    return _like(edt_label_distance(_as_array(labels), spacing), labels)


def choose_backend(backend: str, labels: np.ndarray | torch.Tensor) -> str:
    """Choose the backend: "edt" or "torch", by the labels' device for "auto".

    Raises:
        InputError: If there is no such backend.
    """
    if backend not in BACKENDS:
        raise InputError(f"Unknown distance backend '{backend}'; {did_you_mean(backend, BACKENDS)}")
    if backend != "auto":
        return backend
    return "torch" if isinstance(labels, torch.Tensor) and labels.device.type != "cpu" else "edt"


def edt_label_distance(labels: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """`label_distance` of checked labels (integer type, values >= 0)."""
    return _in_memory_order(lambda array, sizes: _edt(array, sizes), labels, spacing)


def edt_normalized_distance(labels: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """`normalized_distance` of checked labels (integer type, values >= 0)."""
    return _in_memory_order(_normalized, labels, spacing)


def _in_memory_order(
    function: Callable[[np.ndarray, tuple[float, ...]], np.ndarray], labels: np.ndarray, spacing: Sequence[float]
) -> np.ndarray:
    """Apply a function of C-ordered labels to labels of any layout; Fortran order (NIfTI's) costs no copy."""
    if labels.flags.f_contiguous and not labels.flags.c_contiguous:
        return function(labels.T, tuple(spacing)[::-1]).T
    return function(labels, tuple(spacing))


def _edt(labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    # edt takes label 0 for background, which has distance 0: shift by one. Boolean input takes a slow path: never.
    highest = int(labels.max()) if labels.size else 0
    dtype = np.uint8 if highest < 255 else np.uint16 if highest < 65535 else np.uint32
    shifted = np.empty(labels.shape, dtype)
    np.add(labels, 1, out=shifted, casting="unsafe")
    threads = torch.get_num_threads() if labels.size >= _PARALLEL_FROM else 1
    return edt.edt(shifted, anisotropy=spacing, black_border=False, parallel=threads)


def _normalized(labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if not labels.size or labels.min() == labels.max():
        return np.ones(labels.shape, np.float32)
    distance = _edt(labels, spacing)
    flat = distance.reshape(-1)
    # Fast path: normalize the label of the deepest voxel, mostly the background, by vector operations, others by index.
    deepest = flat.argmax()
    peaks = np.zeros(int(labels.max()) + 1, np.float32)
    main = labels.reshape(-1)[deepest]
    peaks[main] = flat[deepest]
    for part, index, label in other_voxels(labels, main):
        np.maximum.at(peaks, label, flat[part][index])
    for part, index, label in other_voxels(labels, main):
        piece = flat[part]
        # Dividing, not multiplying by the inverse, gives the published values to the last bit.
        quotient = piece[index] / peaks[label]
        piece /= peaks[main]
        piece[index] = quotient
    return distance


def other_voxels(labels: np.ndarray, main: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield (slice, index within it, label) of the voxels whose label is not ``main``, in pieces that fit a cache."""
    flat = labels.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        index = np.flatnonzero(flat[part] != main)
        yield part, index, flat[part][index]


def _as_array(labels: np.ndarray | torch.Tensor) -> np.ndarray:
    return as_labels(plain(labels).cpu().numpy() if isinstance(labels, torch.Tensor) else np.asarray(labels))


def _like(result: np.ndarray | torch.Tensor, labels: Array) -> Array:
    if isinstance(labels, torch.Tensor):
        return torch.as_tensor(result).to(labels.device)
    return result.numpy() if isinstance(result, torch.Tensor) else result


def batch_distance(
    labels: torch.Tensor,
    spacing: Sequence[float],
    normalized: bool,
    backend: str = "auto",
    num_labels: int | None = None,
) -> torch.Tensor:
    """`normalized_distance` or `label_distance` of each image of a batch of checked labels.

    Args:
        labels: (B, *spatial), integer type, values >= 0; not checked.
        spacing: voxel size along each spatial axis.
        normalized: which of the two distances.
        backend: as in `normalized_distance`.
        num_labels: an upper bound of the labels + 1; given, nothing is read back from the device to find it.

    Returns:
        float32 (B, *spatial) on the labels' device.
    """
    if choose_backend(backend, labels) == "torch":
        distance = torch_label_distance(labels, spacing)
        return torch_normalize(distance, labels, num_labels) if normalized else distance
    function = edt_normalized_distance if normalized else edt_label_distance
    if num_labels is not None and num_labels <= 256:
        labels = labels.to(torch.uint8)  # losses are given 64-bit labels: eight times as much to read
    images = plain(labels).cpu().numpy()
    if len(images) == 1:  # a volume: nothing to copy together
        return torch.from_numpy(function(images[0], spacing))[None].to(labels.device)
    result = np.empty(images.shape, np.float32)
    for image, out in zip(images, result, strict=True):
        out[...] = function(image, spacing)
    return torch.from_numpy(result).to(labels.device)
