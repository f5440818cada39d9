"""Training and evaluation in several processes (PyTorch distributed, started by ``torchrun``)."""

import os

import torch
from torch import distributed, nn

from .errors import InputError


def start() -> None:
    """Join the process group that ``torchrun`` set up; see `backend`.

    Raises:
        InputError: If this process was not started by ``torchrun``.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        raise InputError("multi_gpu_train.json needs torchrun: torchrun --nproc_per_node N -m monai.bundle run ...")
    if torch.cuda.is_available():
        torch.cuda.set_device(local_device())
    if not distributed.is_initialized():
        distributed.init_process_group(backend())


def backend() -> str:
    """Return what the processes talk through: NCCL with a GPU for each of this machine's, else Gloo.

    NCCL refuses two processes on one GPU. Gloo goes through main memory: slower, but the gradients are the same.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return "nccl" if 0 < here <= torch.cuda.device_count() else "gloo"


def stop() -> None:
    """Leave the process group, if there is one."""
    if is_distributed():
        distributed.destroy_process_group()


def is_distributed() -> bool:
    """Return whether several processes work together."""
    return distributed.is_available() and distributed.is_initialized()


def is_main_process() -> bool:
    """Return whether this process is the one that prints and saves."""
    return rank() == 0


def barrier() -> None:
    """Wait for all processes, if there are several."""
    if is_distributed():
        distributed.barrier()


def rank() -> int:
    """Return the rank of this process; 0 without a process group."""
    return distributed.get_rank() if is_distributed() else 0


def world_size() -> int:
    """Return the number of processes; 1 without a process group."""
    return distributed.get_world_size() if is_distributed() else 1


def local_device() -> torch.device:
    """Return this process's GPU, or the CPU if there is none; more processes than GPUs share them in turn."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())


def share_of(batch_size: int, processes: int | None = None) -> int:
    """Return the batch size per process, so that all processes together train on the same batch as one would.

    Args:
        batch_size: total over all processes.
        processes: number of processes; None asks PyTorch.

    Raises:
        InputError: If the batch cannot be divided evenly.
    """
    processes = world_size() if processes is None else processes
    if batch_size % processes:
        raise InputError(f"expected --batch_size to be a multiple of the {processes} processes, found {batch_size}")
    return batch_size // processes


def synchronized(network: nn.Module) -> nn.Module:
    """Return the network, wrapped in DistributedDataParallel if there are several processes."""
    return nn.parallel.DistributedDataParallel(network) if world_size() > 1 else network
