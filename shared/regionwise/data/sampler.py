"""Samplers: an endless, resumable stream for training, and equal shares without repeats for validation."""

from collections.abc import Iterator

from torch.utils.data import Sampler

from .. import distributed
from ..errors import InputError


class StreamSampler(Sampler[int]):
    """Endless, resumable sampler: yields ``rank, rank + world_size, ...`` from any position.

    `regionwise.data.PatchDataset` makes sample ``i`` from (seed, i) alone, so the stream needs no shuffling, and a
    resumed run only sets the position. The stream is endless, and the trainer counts the epochs (``epoch_length``),
    so that the loader's workers keep preparing samples across epochs.

    Args:
        rank: rank of this process; None asks PyTorch.
        world_size: processes that train together; they share one stream. None asks PyTorch.
    """

    def __init__(self, rank: int | None = None, world_size: int | None = None) -> None:
        self.rank = distributed.rank() if rank is None else rank
        self.world_size = distributed.world_size() if world_size is None else world_size
        self.position = 0

    def __iter__(self) -> Iterator[int]:
        """Start at ``position`` samples of this process."""
        index = self.position
        while True:
            yield index * self.world_size + self.rank
            index += 1


class ShareSampler(Sampler[int]):
    """Sampler of one process's share of ``range(length)``: over all processes, every item exactly once.

    PyTorch's `DistributedSampler` repeats items to make the shares equal, which would count cases twice.

    Args:
        length: total number of items.
        rank: rank of this process; None asks PyTorch.
        world_size: processes that share the items; None asks PyTorch.

    Raises:
        InputError: If there are fewer items than processes: a process without items would block the others.
    """

    def __init__(self, length: int, rank: int | None = None, world_size: int | None = None) -> None:
        rank = distributed.rank() if rank is None else rank
        world_size = distributed.world_size() if world_size is None else world_size
        if length < world_size:
            raise InputError(f"expected at least one case for each of {world_size} processes, found {length} cases")
        self.share = range(rank, length, world_size)

    def __len__(self) -> int:
        return len(self.share)

    def __iter__(self) -> Iterator[int]:
        """Yield the items in order."""
        return iter(self.share)
