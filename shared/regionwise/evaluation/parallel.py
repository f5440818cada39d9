"""Cases over processes, in a fixed order, with a progress bar."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tqdm import tqdm

from .cases import Case
from .measure import CaseResult, measure_case
from .settings import Settings


def measure_cases(cases: Sequence[Case], settings: Settings, workers: int | None = None) -> list[CaseResult]:
    """Measure cases, several at a time.

    Args:
        cases: what to measure.
        settings: how.
        workers: processes; by default one a core that this process may use. 1: no other process is started.

    Returns:
        The results in the order of ``cases``, whatever the number of workers.
    """
    workers = min(workers or usable_cores(), len(cases))
    measure = partial(measure_case, settings=settings)
    bar = partial(tqdm, total=len(cases), desc="evaluate", unit="case", disable=None)
    if workers <= 1:
        return list(bar(map(measure, cases)))
    # spawn: the caller may hold threads or a GPU, neither of which survives a fork.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(bar(pool.map(measure, cases)))


def usable_cores() -> int:
    """Return how many cores this process may use (a container or a queue may allow fewer than there are)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
