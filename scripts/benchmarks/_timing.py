"""Interleaved timing for the benchmarks: ratios of medians, and the machine the numbers depend on."""

import datetime
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

Work = Callable[[], object]


@dataclass
class Row:
    """One line of the table: ours, what it is measured against, and what to reach.

    Attributes:
        work: what is done.
        rival: what does the same.
        ours: a function doing it once.
        theirs: the rival's.
        target: the ratio to reach; theirs / ours at least (faster), or ours / theirs at most.
        faster: which of the two.
        slow: seconds rather than milliseconds: fewer repeats.
        memory: the name under which both can be run in a fresh process (see `peak_memory_mb`).
    """

    work: str
    rival: str
    ours: Work
    theirs: Work
    target: float
    faster: bool = False
    slow: bool = False
    memory: str = ""


def interleaved(
    ours: Work, theirs: Work, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[list[float], list[float]]:
    """Return the times of both in ms, taken in turns after one unmeasured run of each.

    ``clock`` may be `time.process_time`, for the CPU time of this process on a machine that others use.
    """
    times = ([], [])
    for turn in range(repeats + 1):
        for work, values in zip((ours, theirs), times, strict=True):
            gc.collect()
            start = clock()
            work()
            if turn:
                values.append((clock() - start) * 1e3)
    return times


def busy_seconds() -> float:
    """Return the CPU seconds that other processes have used since the machine started (Linux; elsewhere 0)."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0
    user, nice, system = (int(value) for value in path.read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK") - time.process_time()


def machine() -> str:
    """Return what the numbers depend on, in one line."""
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "monai", "scipy", "numpy", "edt"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.date.today()}; {names[0] if names else platform.processor()}, "
        f"{torch.backends.cpu.get_cpu_capability()}{_bfloat16_units()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads{gpu}; Python {platform.python_version()}, {packages}; load {load}"
    )


def _bfloat16_units() -> str:
    units = {"AMX": torch.cpu._is_amx_tile_supported(), "AVX512-BF16": torch.cpu._is_avx512_bf16_supported()}
    return "".join(f" with {name}" for name, here in units.items() if here)


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def report(row: Row, ours: list[float], theirs: list[float]) -> list[str]:
    """Return a table line: work, rival, both times, the ratio, the target, and whether it is met."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    ratio = other / mine if row.faster else mine / other
    met = ratio >= row.target if row.faster else ratio <= row.target
    times = [f"{statistics.median(t):.3g} ({min(t):.3g}-{max(t):.3g})" for t in (ours, theirs)]
    target = f">= {row.target:g}x" if row.faster else f"<= {row.target:g}x"
    return [row.work, row.rival, *times, f"{ratio:.3g}x", target, "yes" if met else "no"]


def print_line(cells: list[str], separator: str, markdown: bool) -> None:
    """Print a table line at once, so that a long run shows how far it is."""
    widths = (0,) * 8 if markdown else (70, 40, 22, 22, 8, 9, 3, 6)
    line = separator.join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    print(f"| {line} |" if markdown else line.rstrip(), flush=True)
