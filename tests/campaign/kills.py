"""Trainings that are killed at any moment and resumed: every bit as if they had not been.

Each training is a process forked from one that has imported PyTorch and MONAI, which takes longer than to train.
"""

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from regionwise.phantoms.write import phantom
from regionwise.weights import load_checkpoint

from ..run_bundles.running import DATASETS, arguments, config, half_written, run_here, training
from .trial import Trial

LONGEST_S = 300.0
SETTINGS = {"epochs": 3, "iterations_per_epoch": 4, "seed": 3, "filters": [4, 8, 8, 8], "max_minutes": None}


@dataclass(frozen=True)
class Variant:
    """A kind of training.

    Attributes:
        bundle: Its bundle.
        settings: Its overrides.
        processes: How many train together.
    """

    bundle: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    processes: int = 1


VARIANTS = {
    "2-D": Variant("acdc", {"patch_size": [32, 32]}),
    "3-D": Variant("hippocampus", {"patch_size": [16, 16, 16], "batch_size": 1}),
    "averaged weights": Variant("acdc", {"patch_size": [32, 32], "ema_decay": 0.9}),
    "3-D, averaged weights": Variant("hippocampus", {"patch_size": [16, 16, 16], "batch_size": 1, "ema_decay": 0.8}),
    "a worker": Variant("acdc", {"patch_size": [32, 32], "num_workers": 1}),
    "two processes": Variant("acdc", {"patch_size": [32, 32], "ema_decay": 0.9}, processes=2),
}


def try_kills(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of trainings that are killed up to three times and then resumed to their end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "monai.bundle", "regionwise.bundle", "regionwise.training"])
    for bundle in {variant.bundle for variant in VARIANTS.values()}:
        phantom(DATASETS[bundle], str(folder / bundle), subjects=4, size=32, preset="small")
    whole: dict[str, float] = {}
    for number in range(count):
        name = list(VARIANTS)[number % len(VARIANTS)]
        base = folder / name.replace(" ", "_").replace(",", "")
        if name not in whole:
            started = time.monotonic()
            status = Training(context, VARIANTS[name], folder, base / "whole").finish()
            whole[name] = time.monotonic() - started
            if status:
                yield Trial("kills", f"training, {name}, not killed", log_of(base / "whole"))
                continue
        yield from _try_one(random, context, name, folder, base, whole[name], number)


def _try_one(
    random: np.random.Generator,
    context: ForkServerContext,
    name: str,
    folder: Path,
    base: Path,
    whole_s: float,
    number: int,
) -> Iterator[Trial]:
    out, kills, status = base / f"killed_{number}", [], None
    for _ in range(int(random.integers(1, 4))):
        delay_s = float(random.uniform(0.2, 1.0)) * whole_s
        run = Training(context, VARIANTS[name], folder, out, resume=(out / "last.pt").is_file())
        status = run.kill_after(delay_s, while_writing=bool(random.random() < 0.4))
        kills.append(f"{delay_s:.2f} s")
        if status is not None:
            break
    if status is None:
        status = Training(context, VARIANTS[name], folder, out, resume=(out / "last.pt").is_file()).finish()
    problem = log_of(out) if status else find_difference(base / "whole", out)
    yield Trial("kills", f"training, {name}, killed after {', '.join(kills)}", problem)


class Training:
    """One training, by one process or more.

    Args:
        context: Makes the processes.
        variant: What to train.
        data: Folder of the datasets.
        out: Its output; its cache lies within.
        resume: Whether it goes on where an earlier one was killed.
    """

    def __init__(
        self, context: ForkServerContext, variant: Variant, data: Path, out: Path, resume: bool = False
    ) -> None:
        self.out = out
        folders = {"dataset_dir": data / variant.bundle, "output_dir": out, "cache_dir": out / "cache"}
        overrides = training(variant.bundle, **{**SETTINGS, **folders, **variant.settings, "resume": resume})
        files = [config(variant.bundle, "train")]
        if variant.processes > 1:
            files.append(config(variant.bundle, "multi_gpu_train"))
            overrides.pop("device")
        words = arguments("training", *files, **overrides)
        out.mkdir(parents=True, exist_ok=True)
        port = _free_port()
        self.processes: list[ForkServerProcess] = [
            context.Process(target=_train, args=(words, rank, variant.processes, port, str(out / f"log_{rank}.txt")))
            for rank in range(variant.processes)
        ]
        for process in self.processes:
            process.start()

    def finish(self) -> int:
        """Wait for its end and return its exit status."""
        until = time.monotonic() + LONGEST_S
        for process in self.processes:
            process.join(max(0.0, until - time.monotonic()))
        self._kill()
        return max(abs(process.exitcode or 0) for process in self.processes)

    def kill_after(self, seconds: float, while_writing: bool = False) -> int | None:
        """Kill it; return its exit status if it ended before, else None.

        Args:
            seconds: When, after its start.
            while_writing: Not before a file is being written.
        """
        until = time.monotonic() + seconds
        last = until + (LONGEST_S if while_writing else 0.0)
        while any(process.is_alive() for process in self.processes):
            now = time.monotonic()
            if now >= last or (now >= until and (not while_writing or half_written(self.out))):
                break
            time.sleep(0.001 if while_writing else 0.01)
        ended = [process.exitcode for process in self.processes]
        self._kill()
        return None if None in ended else max(abs(status or 0) for status in ended)

    def _kill(self) -> None:
        for process in self.processes:
            if process.is_alive() and process.pid is not None:
                try:
                    os.killpg(process.pid, signal.SIGKILL)  # with the workers of its loader
                except ProcessLookupError:  # it has not made its group yet
                    process.kill()
            process.join()


def find_difference(whole: Path, killed: Path) -> str:
    """Return how a killed and resumed training differs from one that was not ("" if in no bit)."""
    if half_written(killed):
        return f"{half_written(killed)[0].name} is left"
    for name in ("last.pt", "model.pt"):
        path = _first_difference(load_checkpoint(whole / name), load_checkpoint(killed / name))
        if path:
            return f"{name} differs at {path}"
    return ""


def _first_difference(first: Any, second: Any, path: str = "") -> str:
    """Return where two checkpoints differ."""
    if isinstance(first, Mapping) and isinstance(second, Mapping) and first.keys() == second.keys():
        return next(
            (found for key in first if (found := _first_difference(first[key], second[key], f"{path}/{key}"))), ""
        )
    if isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return next((found for number, pair in pairs if (found := _first_difference(*pair, f"{path}/{number}"))), "")
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return "" if torch.equal(first, second) else path or "/"
    return "" if type(first) is type(second) and first == second else path or "/"


def log_of(out: Path) -> str:
    """Return the last lines of what the processes of a training wrote."""
    texts = [path.read_text() for path in sorted(out.glob("log_*.txt"))]
    return "failed: " + " / ".join(text.strip()[-300:] for text in texts)


def _train(words: list[str], rank: int, processes: int, port: int, log: str) -> None:
    """Run a training as the leader of a process group of its own."""
    os.setsid()
    if processes > 1:  # as torchrun sets them
        os.environ.update(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(processes),
            LOCAL_WORLD_SIZE=str(processes),
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
        )
    result = run_here(*words)
    Path(log).write_text(result.out + result.err)
    sys.exit(result.status)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
