"""Run MONAI's bundle runner and note when each stage of the start is over.

_first_iterations.py OUT monai.bundle run ...

OUT gets stage to (seconds since this file was started, CPU seconds of this process and its workers): a JSON object that
is written when the second iteration is done.
"""

import json
import os
import runpy
import sys
import time
from functools import wraps
from pathlib import Path

STARTED = time.time()
STAGES: dict[str, tuple[float, float]] = {}


def note(stage: str) -> None:
    """Keep when a stage was over; the first time counts."""
    STAGES.setdefault(stage, (time.time() - STARTED, cpu_seconds(os.getpid())))


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of those that it has started and that still run (Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own = sum(int(fields[place]) for place in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")  # also of what has ended
        tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        return own + sum(cpu_seconds(int(child)) for task in tasks for child in task.read_text().split())
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return 0.0


def main() -> None:
    """Run the runner with notes of its stages."""
    out, sys.argv = Path(sys.argv[1]), sys.argv[2:]
    from ignite.engine import Events
    from monai.bundle import scripts  # noqa: F401
    from monai.engines import Trainer

    note("imports of MONAI's runner")
    from regionwise.bundle import setup

    module = sys.modules[setup.__module__]
    check, run = module.find_problems, Trainer.run

    @wraps(check)
    def noted_check(*arguments):
        note("imports of the package")
        problems = check(*arguments)
        note("check of the configuration")
        return problems

    @wraps(run)
    def noted_run(trainer):
        note("data, network, handlers")
        trainer.add_event_handler(Events.ITERATION_STARTED(once=1), lambda: note("workers and first batch"))
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1), lambda: note("first iteration"))
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda: note("second iteration"))
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda: out.write_text(json.dumps(STAGES)))
        run(trainer)

    module.find_problems, Trainer.run = noted_check, noted_run
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
