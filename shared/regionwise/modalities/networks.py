"""Networks for images with missing modalities, given as channels of NaN."""

from typing import Any

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock
from monai.networks.nets import DynUNet
from torch import nn


def split_missing(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an image with zeros where modalities are missing, and which are there.

    A channel is missing if any of its voxels is NaN: the zeros that pad a window do not make it present.

    Args:
        image: Float (B, C, *spatial).

    Returns:
        Float (B, C, *spatial) without NaN, and bool (B, C), True for a modality that is there.

    Examples:
        >>> image = torch.tensor([[[1.0, 2.0], [float("nan"), 0.0]]])
        >>> split_missing(image)[1].tolist()
        [[True, False]]
    """
    unknown = torch.isnan(image)
    return torch.where(unknown, torch.zeros_like(image), image), ~unknown.flatten(2).any(-1)


class PresenceDynUNet(DynUNet):
    """MONAI's `DynUNet` with one more channel per modality, 1 where the modality is there and 0 where it is missing.

    The channels tell a missing modality (zeros) from one of mean intensity, which is 0 after the z-score.

    Args:
        in_channels: Number of modalities.
        options: Of `DynUNet`.
    """

    def __init__(self, in_channels: int, **options: Any) -> None:
        super().__init__(in_channels=2 * in_channels, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, *spatial), missing channels NaN, to logits as `DynUNet` does."""
        image, present = split_missing(x)
        bits = _over(present, image).to(image.dtype).expand_as(image)
        return super().forward(torch.cat([image, bits], 1))


class HemisDynUNet(DynUNet):
    """A block per modality, mean and variance over the modalities that are there, then MONAI's `DynUNet`.

    mean = 1/n sum_m f_m and var = 1/n sum_m (f_m - mean)^2 over the n modalities m that are there: 0 for one modality,
    where an unbiased variance would be NaN.

    Args:
        in_channels: Number of modalities.
        modality_features: Number of features per modality.
        options: Of `DynUNet`; ``spatial_dims`` among them.

    Source: Havaei et al., HeMIS: Hetero-Modal Image Segmentation (2016), with a U-Net after the fusion.
    """

    def __init__(self, in_channels: int, modality_features: int = 8, **options: Any) -> None:
        super().__init__(in_channels=2 * modality_features, **options)
        dims = options["spatial_dims"]
        self.modality_blocks = nn.ModuleList(
            UnetBasicBlock(dims, 1, modality_features, 3, 1, ("INSTANCE", {"affine": True})) for _ in range(in_channels)
        )
        self.modality_blocks.apply(self.initialize_weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, *spatial), missing channels NaN, to logits as `DynUNet` does."""
        image, present = split_missing(x)
        features = torch.stack([block(image[:, c : c + 1]) for c, block in enumerate(self.modality_blocks)], 1)
        return super().forward(torch.cat(fuse(features, present), 1))


def fuse(features: torch.Tensor, present: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and (biased) variance of the features of the modalities that are there.

    Args:
        features: Float (B, M, F, *spatial).
        present: Bool (B, M).

    Returns:
        Two float (B, F, *spatial), finite also for one modality; zeros if none is there.

    Examples:
        >>> features = torch.tensor([[[[1.0]], [[3.0]], [[99.0]]]])
        >>> mean, variance = fuse(features, torch.tensor([[True, True, False]]))
        >>> mean.item(), variance.item()
        (2.0, 1.0)
    """
    mask = _over(present, features)
    count = mask.sum(1).clamp(min=1).to(features.dtype)
    nothing = torch.zeros_like(features)
    mean = torch.where(mask, features, nothing).sum(1) / count
    variance = torch.where(mask, (features - mean[:, None]) ** 2, nothing).sum(1) / count
    return mean, variance


def _over(present: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return (B, M) as (B, M, 1, ...) with as many axes as ``like``."""
    return present.reshape(*present.shape, *[1] * (like.ndim - 2))
