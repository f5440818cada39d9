"""A network that metadata modulates: feature-wise linear modulation (FiLM)."""

from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock
from monai.networks.nets import DynUNet
from torch import nn

from .encoding import Encoding, check_encoding, count_categories


def categories_of(encoding: Encoding) -> list[int]:
    """Return the number of categories per metadata key, that of the unknown included.

    Examples:
        >>> categories_of({"Manufacturer": ["Siemens", "GE"], "Height": [160, 175]})
        [3, 4]
    """
    return [count_categories(values) for values in check_encoding(encoding).values()]


class FilmDynUNet(DynUNet):
    """A block of features, modulated by metadata, then MONAI's `DynUNet`.

    f' = (1 + delta(m)) f + beta(m), delta and beta linear in the sum of one learned vector per key's category. Both are
    zero at the start: the network is then the one without metadata. The unknown has a learned vector of its own.

    Args:
        in_channels: Number of channels of the image, without those of the metadata.
        categories: Number of categories per key, see `categories_of`.
        features: Number of modulated features.
        embedding: Length of the learned vectors.
        options: Of `DynUNet`; ``spatial_dims`` among them.

    Source: Perez et al., FiLM (2018); unlike in ivadomed, gamma is not confined to (0, 1).
    """

    def __init__(
        self, in_channels: int, categories: Sequence[int], features: int = 16, embedding: int = 16, **options: Any
    ) -> None:
        super().__init__(in_channels=features, **options)
        self.image_channels = in_channels
        self.stem = UnetBasicBlock(
            options["spatial_dims"], in_channels, features, 3, 1, ("INSTANCE", {"affine": True})
        ).apply(self.initialize_weights)
        self.vectors = nn.ModuleList(nn.Embedding(count, embedding) for count in categories)
        self.modulation = nn.Linear(embedding, 2 * features)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C + keys, *spatial), the last channels the categories, to logits as `DynUNet` does."""
        image, planes = x[:, : self.image_channels], x[:, self.image_channels :]
        # What pads a window is 0, so that the largest value is the category.
        codes = planes.flatten(2).amax(2).round().long()
        vector = torch.stack([table(codes[:, key]) for key, table in enumerate(self.vectors)]).sum(0)
        delta, beta = self.modulation(vector).reshape(len(x), 2, -1, *[1] * (x.ndim - 2)).unbind(1)
        return super().forward((1 + delta) * self.stem(image) + beta)
