"""Measure cases in several processes, in a fixed order, with a progress bar."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tqdm import tqdm

from .cases import Case
from .measure import CaseResult, measure_case
from .settings import EvaluationSettings


def measure_cases(
    cases: Sequence[Case], settings: EvaluationSettings, workers: int | None = None, error_maps: Path | None = None
) -> list[CaseResult]:
    """Measure cases, several at a time.

    Args:
        cases: The cases.
        settings: How to measure.
        workers: Number of processes; by default one per core that this process may use. 1: no other process is started.
        error_maps: Folder to write error maps to; None: not written.

    Returns:
        The results in the order of ``cases``, whatever the number of workers.

    Raises:
        InputError: If an error map cannot be written.
    """
    workers = min(workers or usable_cores(), len(cases))
    measure = partial(measure_case, settings=settings, error_maps=error_maps)
    bar = partial(tqdm, total=len(cases), desc="evaluate", unit="case", disable=None)
    if workers <= 1:
        return list(bar(map(measure, cases)))
    # spawn: the caller may hold threads or a GPU, neither of which survives a fork.
    # After Ctrl-C this process alone says so, and the others end with the case at hand.
    ignored = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), signal.signal, ignored) as pool:
        return list(bar(pool.map(measure, cases)))


def usable_cores() -> int:
    """Number of cores that this process may use (a container or a queue may allow fewer than there are)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
