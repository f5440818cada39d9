"""Two stages: crop a scan to what another network found in it, segment the crop, put the labels back."""

from .crop import CropToPriord

__all__ = ["CropToPriord"]
