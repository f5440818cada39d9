"""The paper's augmentation: nnU-Net's, put together from MONAI transforms."""

from math import pi
from typing import Any

import torch
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandRotated,
    RandScaleIntensityd,
    RandScaleIntensityFixedMeand,
    RandSimulateLowResolutiond,
    RandZoomd,
)

from ..errors import InputError, did_you_mean
from .augmentation_draws import DrawAugmentation

CHOICES = ("auto", "device", "workers")
ROTATION_3D_RAD = pi / 6  # nnU-Net turns volumes by at most 30 degrees, slices by 180


def choose_place(choice: str, device: str | torch.device = "cpu") -> str:
    """Choose where samples are augmented: "workers", one by one as they are read, or "device", a batch at once.

    Args:
        choice: "device", "workers" or "auto": on the device if it is a GPU, whose network workers on a few cores cannot
            keep busy.
        device: where the network runs.

    Raises:
        InputError: If there is no such choice.

    Examples:
        >>> choose_place("auto", "cuda:0"), choose_place("auto", "cpu")
        ('device', 'workers')
    """
    if choice not in CHOICES:
        raise InputError(f"Unknown --augmentation '{choice}'; {did_you_mean(choice, CHOICES)}")
    if choice != "auto":
        return choice
    return "workers" if torch.device(device).type == "cpu" else "device"


def make_augmentation(
    place: str = "workers",
    spatial_dims: int = 2,
    thick_slice_axis: int | None = None,
    frequency: float = 1.0,
    linear_labels: bool = False,
) -> Compose | DrawAugmentation:
    """Return nnU-Net's augmentation of a sample, or the drawing of its parameters for `augment_batch_`.

    Args:
        place: "workers" or "device", see `choose_place`.
        spatial_dims: see `nnunet_augmentation`.
        thick_slice_axis: see `nnunet_augmentation`.
        frequency: see `nnunet_augmentation`.
        linear_labels: see `nnunet_augmentation`; in the workers only.

    Raises:
        InputError: If frequency is out of range, or linear_labels are asked for on the device.
    """
    if place == "workers":
        return nnunet_augmentation(spatial_dims, thick_slice_axis, frequency, linear_labels)
    if linear_labels:
        raise InputError("soft labels are augmented in the workers only; pass --augmentation workers")
    _check_frequency(frequency)
    return DrawAugmentation(spatial_dims, tuple(_angles_rad(spatial_dims, thick_slice_axis).values()), frequency)


def nnunet_augmentation(
    spatial_dims: int = 2, thick_slice_axis: int | None = None, frequency: float = 1.0, linear_labels: bool = False
) -> Compose:
    """Return nnU-Net v1's random transforms of ``image`` (C, *patch) and ``label`` (1 or 2, *patch).

    Rotation +-180 deg (p .2; in 3-D +-30 deg), scaling .7-1.4 (p .2), Gaussian noise of variance up to 0.1 (p .1), blur
    sigma .5-1 (p .2), brightness x.75-1.25 (p .15), contrast .75-1.25 (p .15), low-resolution simulation .5-1 (p .25),
    gamma .7-1.5 inverted (p .1) and plain (p .3), mirroring on every axis (p .5 each). The label channels move with
    nearest-neighbor sampling, so that the normalized distance (d̂) remains that of a voxel of its class. Voxels from
    outside the image are background with d̂ = 0.

    Args:
        spatial_dims: 2 or 3.
        thick_slice_axis: in 3-D, the axis that slices are perpendicular to where they are much thicker than the voxels
            in plane: volumes then turn by up to 180 deg about this axis only.
        frequency: factor from 0 to 1 on all probabilities except that of mirroring; short trainings gain from less.
        linear_labels: move the label channels with linear sampling, as soft labels need (`regionwise.soft_labels`).

    Raises:
        InputError: If frequency is out of range.

    Source: Isensee et al., nnU-Net (2021), as used in Valverde & Tohka, section 4.
    """
    _check_frequency(frequency)
    both = ["image", "label"]
    angles: dict[str, Any] = _angles_rad(spatial_dims, thick_slice_axis)
    linear = "bilinear"
    image_interpolation = "bilinear" if spatial_dims == 2 else "trilinear"
    turned, zoomed = (linear, image_interpolation) if linear_labels else ("nearest", "nearest-exact")
    return Compose(
        [
            RandRotated(both, **angles, prob=0.2 * frequency, mode=[linear, turned], padding_mode="zeros"),
            RandZoomd(
                both,
                prob=0.2 * frequency,
                min_zoom=0.7,
                max_zoom=1.4,
                mode=[image_interpolation, zoomed],
                padding_mode="constant",
            ),
            RandGaussianNoised("image", prob=0.1 * frequency, std=0.1**0.5, sample_std=True),
            RandGaussianSmoothd(
                "image", prob=0.2 * frequency, sigma_x=(0.5, 1.0), sigma_y=(0.5, 1.0), sigma_z=(0.5, 1.0)
            ),
            RandScaleIntensityd("image", factors=0.25, prob=0.15 * frequency),
            RandScaleIntensityFixedMeand("image", factors=0.25, preserve_range=True, prob=0.15 * frequency),
            RandSimulateLowResolutiond(
                "image", prob=0.25 * frequency, upsample_mode=image_interpolation, zoom_range=(0.5, 1.0)
            ),
            RandAdjustContrastd("image", prob=0.1 * frequency, gamma=(0.7, 1.5), invert_image=True, retain_stats=True),
            RandAdjustContrastd("image", prob=0.3 * frequency, gamma=(0.7, 1.5), retain_stats=True),
            *(RandFlipd(both, prob=0.5, spatial_axis=axis) for axis in range(spatial_dims)),
        ]
    )


def _check_frequency(frequency: float) -> None:
    if not 0 <= frequency <= 1:
        raise InputError(f"expected a frequency of the augmentation from 0 to 1, found {frequency}")


def _angles_rad(spatial_dims: int, thick_slice_axis: int | None) -> dict[str, float]:
    """Return the largest rotation about each axis; slices turn about one."""
    if spatial_dims == 2:
        return {"range_x": pi}
    if thick_slice_axis is not None:
        return {f"range_{axis}": pi if index == thick_slice_axis else 0.0 for index, axis in enumerate("xyz")}
    return dict.fromkeys(("range_x", "range_y", "range_z"), ROTATION_3D_RAD)
