"""nnU-Net's augmentation of a whole batch at once, on any device, from parameters that were drawn before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any

import torch
from monai.engines.utils import default_prepare_batch
from torch.nn import functional

from .augmentation_draws import DRAWS
from .blur import gaussian_blur

Draws = Mapping[str, torch.Tensor]

_CPU_VOXELS = 1 << 17  # float32 of them fit into a core's cache several times


def prepare_batch(
    batchdata: dict[str, Any], device: Any = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move a batch to the device of the network and augment it there if it brings parameters.

    Given to MONAI's trainers as ``prepare_batch``.

    Args:
        batchdata: collated samples of `regionwise.data.PatchDataset`; the parameters are taken out of it, as the
            trainers would split them into those of single samples after each step.
        device: device of the network.
        non_blocking: see `torch.Tensor.to`.
        kwargs: see `torch.Tensor.to`.

    Returns:
        Image and label.
    """
    draws = batchdata.pop(DRAWS, None)
    prepared: Any = default_prepare_batch(batchdata, device, non_blocking, **kwargs)
    image, label = prepared
    if draws is not None:
        augment_batch_(image, label, draws)
    return image, label


@torch.no_grad()
def augment_batch_(image: torch.Tensor, label: torch.Tensor, draws: Draws) -> None:
    """Augment a batch in place: rotation, scaling, mirroring, noise, blur, brightness, contrast, resolution, gamma.

    Each step changes the samples that it was drawn for, all at once. It gives what MONAI's transform of one sample
    gives for the same parameters. Rotation, scaling and mirroring are one interpolation: linear for images, nearest
    for labels and d̂; what comes from outside the image is 0.

    Args:
        image: float32 (B, C, *spatial).
        label: float32 (B, 1 or 2, *spatial), on the same device.
        draws: collated parameters of `DrawAugmentation`, in CPU memory, so that a GPU is not waited for.

    Source: Isensee et al., nnU-Net (2021), as used in Valverde & Tohka, section 4.
    """
    _move_(image, label, draws["affine"].float())
    for axes in _subsets(range(2, image.ndim)):
        chosen = (draws["flip"] == torch.tensor([axis in axes for axis in range(2, image.ndim)])).all(1)
        for tensor in (image, label):
            _change_(tensor, chosen, lambda part, axes=axes: part.flip(axes))
    _add_noise_(image, draws["noise_std"], draws["noise_seed"])
    sigma = draws["blur_sigma"].float()
    _change_(image, sigma[:, 0] > 0, gaussian_blur, sigma)
    _scale_(image, draws["brightness"], lambda part, factor: part * _like(factor, part))
    _scale_(image, draws["contrast"], _contrasted)
    _lower_resolution_(image, draws["low_resolution"])
    _scale_(image, draws["inverted_gamma"], lambda part, gamma: -_gamma_corrected(-part, gamma))
    _scale_(image, draws["gamma"], _gamma_corrected)


def _scale_(image: torch.Tensor, factor: torch.Tensor, function: Callable) -> None:
    _change_(image, factor != 1, function, factor.float())


def _subsets(axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(axes, count) for count in range(1, len(axes) + 1))


def _change_(tensor: torch.Tensor, chosen: torch.Tensor, function: Callable, *parameters: torch.Tensor) -> None:
    """Replace the chosen samples by a function of them and of their parameters."""
    for rows, given in _groups(tensor, chosen, *parameters):
        tensor.index_copy_(0, rows, function(tensor.index_select(0, rows), *given))


def _groups(
    tensor: torch.Tensor, chosen: torch.Tensor, *parameters: torch.Tensor
) -> Iterator[tuple[torch.Tensor, list[torch.Tensor]]]:
    """Yield rows and parameters of the chosen samples: of all at once, or on a CPU of as many as fit into its cache."""
    count = max(1, _CPU_VOXELS // tensor[0].numel()) if tensor.device.type == "cpu" else len(tensor)
    for rows in chosen.nonzero()[:, 0].split(count):
        if len(rows):
            given = [parameter[rows].to(tensor.device, non_blocking=True) for parameter in parameters]
            yield rows.to(tensor.device, non_blocking=True), given


def _move_(image: torch.Tensor, label: torch.Tensor, affine: torch.Tensor) -> None:
    size = list(image.shape[2:])
    # PyTorch's coordinates run from -1 to 1 over an axis, the last axis first.
    theta = (affine * torch.tensor(size) / torch.tensor(size)[:, None]).flip(1, 2)
    theta = torch.cat([theta, theta.new_zeros(*theta.shape[:2], 1)], 2)
    moved = (affine != torch.eye(len(size))).flatten(1).any(1)
    for rows, (matrices,) in _groups(label, moved, theta):
        grid = functional.affine_grid(matrices, [len(rows), 1, *size], align_corners=False)
        for tensor, mode in ((image, "bilinear"), (label, "nearest")):
            part = tensor.index_select(0, rows)
            tensor.index_copy_(0, rows, functional.grid_sample(part, grid, mode, "zeros", align_corners=False))


def _add_noise_(image: torch.Tensor, std: torch.Tensor, seeds: torch.Tensor) -> None:
    for row in std.nonzero()[:, 0].tolist():
        # A generator per sample: its noise does not depend on the batch it is in.
        generator = torch.Generator(image.device).manual_seed(int(seeds[row]))
        noise = torch.randn(image[row].shape, generator=generator, device=image.device)
        image[row].add_(noise, alpha=float(std[row]))


def _lower_resolution_(image: torch.Tensor, zoom: torch.Tensor) -> None:
    size = image.shape[2:]
    linear = ("bilinear", "trilinear")[len(size) - 2]
    # One by one, as the sizes differ.
    for row in (zoom != 1).nonzero()[:, 0].tolist():
        coarse = functional.interpolate(image[row : row + 1], [round(length * float(zoom[row])) for length in size])
        image[row : row + 1] = functional.interpolate(coarse, size, mode=linear)


def _contrasted(part: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    flat = part.flatten(1)
    mean, lowest, highest = (_like(one, part) for one in (flat.mean(1), *flat.aminmax(dim=1)))
    return ((part - mean) * _like(factor, part) + mean).clamp(lowest, highest)


def _gamma_corrected(part: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    flat = part.flatten(1)
    lowest, highest = flat.aminmax(dim=1, keepdim=True)
    changed = ((flat - lowest) / (highest - lowest + 1e-7)).pow_(gamma[:, None])
    # Mean and standard deviation stay, so the old range need not be restored first.
    mean = flat.mean(1, keepdim=True)
    changed -= changed.mean(1, keepdim=True)
    norms = [torch.linalg.vector_norm(one, dim=1, keepdim=True) for one in (flat - mean, changed)]
    return changed.mul_(norms[0] / (norms[1] + 1e-8)).add_(mean).view_as(part)


def _like(values: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """Return one value per sample in a shape that broadcasts over its voxels."""
    return values.view(-1, *[1] * (part.ndim - 1))
