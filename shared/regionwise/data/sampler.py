"""The order of training samples: an endless stream that can start anywhere."""

from collections.abc import Iterator

from torch.utils.data import Sampler

from .. import distributed
from ..errors import InputError


class StreamSampler(Sampler[int]):
    """Yield sample numbers ``rank, rank + world_size, ...`` without end, from any position.

    `regionwise.data.PatchDataset` makes sample ``i`` from (seed, i) alone, so the stream needs no shuffling and a
    resumed run only sets the position. The stream is endless, and the trainer counts the epochs (``epoch_length``),
    so that the loader's processes go on preparing samples across epochs.

    Args:
        rank: of this process; None asks PyTorch.
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
    """Yield the part of ``range(length)`` that falls to one process: every item once over all processes, none twice.

    PyTorch's `DistributedSampler` repeats items to make the parts equal, which would count cases twice.

    Args:
        length: items in all.
        rank: of this process; None asks PyTorch.
        world_size: processes that share the items; None asks PyTorch.

    Raises:
        InputError: there are fewer items than processes; one without any would leave the others waiting for it.
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
