"""From files to batches: loading, the preprocessed store, patches and their order."""

from .load import LoadCased
from .patches import PatchDataset, VolumeDataset
from .sampler import ShareSampler, StreamSampler

__all__ = ["LoadCased", "PatchDataset", "ShareSampler", "StreamSampler", "VolumeDataset"]
