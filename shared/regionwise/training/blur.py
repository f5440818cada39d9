"""Gaussian blur of a batch of images, each with its own widths."""

import torch
from torch.nn.functional import pad

_SQRT_HALF = 0.5**0.5
_TAIL = 4  # voxels, for standard deviations below 1.125 voxels


def gaussian_blur(images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Blur images by a Gaussian that is integrated over each voxel and cut off at 4 standard deviations, as MONAI does.

    Beyond the ends of an image lie zeros.

    Args:
        images: float32 (B, C, *spatial).
        sigma: standard deviation along each spatial axis in voxels, float32 (B, d), at most 1.1.

    Returns:
        float32 (B, C, *spatial).
    """
    offset = torch.arange(_TAIL + 1, device=sigma.device)
    t = _SQRT_HALF / sigma[..., None]
    weights = 0.5 * (torch.erf(t * (offset + 0.5)) - torch.erf(t * (offset - 0.5)))
    weights = torch.where(offset <= (4 * sigma[..., None] + 0.5).floor(), weights, 0.0)
    weights = weights.view(*weights.shape, *[1] * (images.ndim - 1)).movedim(2, 0)  # (offset, B, d, 1, ...)
    for axis, length in enumerate(images.shape[2:], start=2):
        sides = [0, 0] * (images.ndim - 1 - axis) + [_TAIL, _TAIL]
        padded, scale = pad(images, sides), weights[:, :, axis - 2]
        images = images * scale[0]
        for k in range(1, _TAIL + 1):
            pair = padded.narrow(axis, _TAIL - k, length) + padded.narrow(axis, _TAIL + k, length)
            images.addcmul_(pair, scale[k])
    return images
