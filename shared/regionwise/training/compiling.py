"""Compilation of the network where this machine can."""

import torch
from tqdm import tqdm

from ..distributed import is_main_process


def can_compile(device: str | torch.device = "cpu") -> bool:
    """Return whether ``torch.compile`` works on a device, by compiling a small function, and print what follows.

    On a CPU it needs a working C++ compiler, which many machines lack.

    Args:
        device: where the network runs.
    """
    try:
        torch.compile(_small)(torch.ones(8, device=device))
    except RuntimeError as error:  # PyTorch's errors of compilers and backends
        reason = (str(error) or type(error).__name__).splitlines()[0]
        _say(f"the network is not compiled, which takes about twice the time per iteration ({reason})")
        return False
    _say("the network is compiled, which takes a minute at first (--train#trainer#compile False leaves it out)")
    return True


def _small(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) + 1


def _say(line: str) -> None:
    if is_main_process():
        tqdm.write(line)
