"""Random parameters of nnU-Net's augmentation for one sample, drawn apart from the images they are applied to."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.transforms import Randomizable
from monai.transforms.utils import create_rotate

DRAWS = "augmentation"
"""Key of the parameters in a sample and in a batch."""


class DrawAugmentation(Randomizable):
    """Draw what `regionwise.training.augment_batch_` does to a sample, and leave its image and label as they are.

    The parameters are those of `regionwise.training.nnunet_augmentation`, in the same ranges and with the same
    probabilities. Under the key ``augmentation`` of a sample, with d spatial dimensions:

    - ``affine``, float64 (d, d): rotation, scaling and mirroring; output voxel p shows voxel c + affine (p - c) of the
      input, with c the center; the identity for most samples.
    - ``flip``, bool (d,): axes to mirror where ``affine`` is the identity.
    - ``noise_std`` and ``noise_seed``: standard deviation of the noise, 0 for none, and seed of its values.
    - ``blur_sigma``, float64 (d,): standard deviations of the Gaussian blur in voxels, 0 for none.
    - ``brightness``, ``contrast``, ``low_resolution``: factors; ``inverted_gamma``, ``gamma``: exponents; 1 for none.

    Args:
        spatial_dims: 2 or 3.
        angles_rad: largest rotation about each axis: one number in 2-D, three in 3-D.
        frequency: factor from 0 to 1 on all probabilities except that of mirroring.
    """

    def __init__(self, spatial_dims: int, angles_rad: tuple[float, ...], frequency: float = 1.0) -> None:
        self.spatial_dims, self.angles_rad, self.frequency = spatial_dims, angles_rad, frequency

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add parameters to a sample."""
        return {**data, DRAWS: self.draw()}

    def draw(self) -> dict[str, np.ndarray]:
        """Return the parameters of the next sample."""
        dims, seed = self.spatial_dims, self.R.randint(2**31)
        rotation, scaling, noise, blur, *happen = self.R.uniform(size=9) < self.frequency * np.array(
            [0.2, 0.2, 0.1, 0.2, 0.15, 0.15, 0.25, 0.1, 0.3]
        )
        factors = np.where(happen, self._uniform([0.75, 0.75, 0.5, 0.7, 0.7], [1.25, 1.25, 1.0, 1.5, 1.5]), 1.0)
        affine, flip = np.eye(dims), self.R.uniform(size=dims) < 0.5
        turned, scaled = self._uniform(np.negative(self.angles_rad), self.angles_rad), self._uniform(0.7, 1.4)
        if rotation:
            affine = np.asarray(create_rotate(dims, turned.tolist()))[:dims, :dims]
        if scaling:
            affine = affine / scaled
        if rotation or scaling:
            affine, flip = affine * np.where(flip, -1.0, 1.0), np.zeros(dims, bool)
        names = ("brightness", "contrast", "low_resolution", "inverted_gamma", "gamma")
        return {
            "affine": affine,
            "flip": flip,
            "noise_std": np.asarray(self._uniform(0, 0.1**0.5) * noise),
            "noise_seed": np.asarray(seed),
            "blur_sigma": self._uniform([0.5] * dims, [1.0] * dims) * blur,
            **{name: np.asarray(factor) for name, factor in zip(names, factors, strict=True)},
        }

    def _uniform(self, low: Any, high: Any) -> Any:
        return self.R.uniform(low, high)
