import pytest
import torch
from regionwise import distributed
from regionwise.errors import InputError


def test_without_torchrun_the_message_says_how_to_start(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match=r"multi_gpu_train\.json needs torchrun: torchrun --nproc_per_node N"):
        distributed.start()


def test_one_process_is_the_main_process_and_waits_for_nobody():
    assert not distributed.is_distributed()
    assert distributed.is_main_process()
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    distributed.barrier()
    distributed.stop()


@pytest.mark.parametrize(
    ("gpus", "processes", "backend", "devices"),
    [
        (0, 2, "gloo", ["cpu", "cpu"]),
        (1, 1, "nccl", ["cuda:0"]),
        (1, 2, "gloo", ["cuda:0", "cuda:0"]),
        (2, 2, "nccl", ["cuda:0", "cuda:1"]),
    ],
)
def test_processes_that_share_a_gpu_talk_through_gloo(monkeypatch, gpus, processes, backend, devices):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    found = []
    for place in range(processes):
        monkeypatch.setenv("LOCAL_RANK", str(place))
        found.append(str(distributed.local_device()))
    assert (distributed.backend(), found) == (backend, devices)


def test_processes_share_a_batch_evenly():
    assert distributed.share_of(12, 1) == 12
    assert distributed.share_of(12, 3) == 4
    with pytest.raises(InputError, match="expected --batch_size to be a multiple of the 5 processes, found 12"):
        distributed.share_of(12, 5)


def test_a_network_is_wrapped_only_for_several_processes():
    network = torch.nn.Linear(2, 2)
    assert distributed.synchronized(network) is network


def test_a_process_group_of_one_averages_gradients_and_is_left_again(monkeypatch, tmp_path):
    for key, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}.items():
        monkeypatch.setenv(key, value)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        distributed.start()  # joins the group that is there
        assert distributed.is_distributed() and distributed.is_main_process()
        assert (distributed.rank(), distributed.world_size()) == (0, 1)
        monkeypatch.setattr(distributed, "world_size", lambda: 2)
        wrapped = distributed.synchronized(torch.nn.Linear(2, 2))
        assert isinstance(wrapped, torch.nn.parallel.DistributedDataParallel)
    finally:
        distributed.stop()
    assert not distributed.is_distributed()
