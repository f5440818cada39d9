from itertools import chain, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regionwise.data.sampler import ShareSampler, StreamSampler
from regionwise.errors import InputError

EASY = settings(deadline=None, derandomize=True, max_examples=60)


def batch(sampler: StreamSampler, size: int, number: int) -> list[int]:
    """Return the samples of one iteration."""
    return list(islice(iter(sampler), size * number, size * (number + 1)))


@EASY
@given(world_size=st.integers(1, 5), share=st.integers(1, 4), iteration=st.integers(0, 6))
def test_the_processes_together_take_the_batch_of_one(world_size, share, iteration):
    alone = batch(StreamSampler(), share * world_size, iteration)
    parts = [batch(StreamSampler(rank, world_size), share, iteration) for rank in range(world_size)]
    assert sorted(chain(*parts)) == sorted(alone)


@EASY
@given(rank=st.integers(0, 2), position=st.integers(0, 30))
def test_a_stream_goes_on_from_any_position(rank, position):
    whole = list(islice(iter(StreamSampler(rank, 3)), position + 10))
    resumed = StreamSampler(rank, 3)
    resumed.position = position
    assert list(islice(iter(resumed), 10)) == whole[position:]


def test_the_position_counts_when_the_loader_starts_not_before():
    sampler = StreamSampler()
    stream = iter(sampler)
    sampler.position = 7
    assert next(stream) == 7


@EASY
@given(world_size=st.integers(1, 6), more=st.integers(0, 20))
def test_every_item_falls_to_one_process(world_size, more):
    length = world_size + more
    shares = [list(ShareSampler(length, rank, world_size)) for rank in range(world_size)]
    assert sorted(chain(*shares)) == list(range(length))
    assert [len(ShareSampler(length, rank, world_size)) for rank in range(world_size)] == [*map(len, shares)]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_process_without_items_would_hang_the_others():
    with pytest.raises(InputError, match="expected at least one case for each of 3 processes, found 2 cases"):
        ShareSampler(2, 0, 3)
