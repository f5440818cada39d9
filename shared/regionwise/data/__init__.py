"""Data loading: case readers, the on-disk store of preprocessed cases, patch datasets and samplers."""

from .load import LoadCased
from .patches import PatchDataset, VolumeDataset
from .sampler import ShareSampler, StreamSampler

__all__ = ["LoadCased", "PatchDataset", "ShareSampler", "StreamSampler", "VolumeDataset"]
