"""Running the bundles: as the runner does in a process of its own, or (seconds faster) in this one."""

import contextlib
import io
import json
import logging
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from regionwise.evaluation import parallel

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = ("acdc", "brats", "kits", "hippocampus")
DATASETS = {"acdc": "acdc", "brats": "brats", "kits": "kits", "hippocampus": "msd"}

TINY_NETWORK = {"filters": [8, 16, 32, 64], "kernel_size": [3, 3, 3, 3], "upsampling": [2, 2, 2]}
TINY = {
    "epochs": 1,
    "iterations_per_epoch": 2,
    "batch_size": 2,
    "patch_size": [48, 48],
    "num_workers": 0,
    "device": "cpu",
    "amp": False,  # the same arithmetic on every machine; tests/test_precision.py is about the other
    **TINY_NETWORK,
}
# What training and evaluation have to share: the phantoms are coarse, and there are four subjects.
GRID = {
    "acdc": {"preprocessing#transforms#1#pixdim": [3.0, 3.0, -1]},
    "brats": {},
    "kits": {"preprocessing#transforms#1#spatial_size": [-1, 48, 48]},
    "hippocampus": {},
}
SPLIT = {"acdc": {}, "brats": {}, "kits": {}, "hippocampus": {"folds": 2}}


def config(bundle: str, name: str) -> Path:
    """Return a config file of a bundle."""
    return ROOT / "bundles" / f"{bundle}_rrw" / "configs" / f"{name}.json"


def training(bundle: str, **settings: Any) -> dict[str, Any]:
    """Return the overrides of a training of seconds."""
    grid = {f"train#{key}": value for key, value in GRID[bundle].items()}
    uncompiled = {"train#trainer#compile": False}  # compiling takes longer than a training of seconds
    return {**TINY, **grid, **SPLIT[bundle], **uncompiled, **settings}


def evaluation_overrides(bundle: str, **settings: Any) -> dict[str, Any]:
    """Return the overrides of the evaluation that fits `training`."""
    return {"num_workers": 0, "device": "cpu", "amp": False, **GRID[bundle], **SPLIT[bundle], **settings}


def arguments(run_id: str, /, *files: str | Path, **overrides: Any) -> list[str]:
    """Return what stands after ``python -m monai.bundle run``."""
    names = [str(file) for file in files]
    given = ["--config_file", names[0] if len(names) == 1 else str(names)]
    for key, value in overrides.items():
        given += [f"--{key}", value if isinstance(value, str) else str(value)]
    return [run_id, *given]


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        status: exit status.
        out: what it printed.
        err: what it wrote to stderr.
    """

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Return the one line that a run of bad input leaves on stderr, without ``error: ``."""
        lines = self.err.splitlines()
        assert self.status == 1, f"status {self.status}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err, self.err
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1, self.err
        assert lines[-1] == errors[0], self.err
        return errors[0].removeprefix("error: ")


def run_process(*given: str, cwd: Path = ROOT, launcher: tuple[str, ...] = ()) -> Result:
    """Run ``python -m monai.bundle run`` in a process of its own, on one core."""
    command = [sys.executable, *launcher, "-m", "monai.bundle", "run", *given]
    done = subprocess.run(
        command, cwd=cwd, env=environment(), preexec_fn=_one_core, capture_output=True, text=True, timeout=900
    )
    return Result(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    """Return the environment of a process that computes with one thread, as this one does in `run_here`."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _one_core() -> None:
    """Keep the evaluation from starting a process for each core, which takes longer than what there is to do."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])


def run_here(*given: str) -> Result:
    """Run the module ``monai.bundle`` in this process, and show its error as the interpreter would."""
    out, err = io.StringIO(), io.StringIO()
    with _as_it_was(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.orig_argv = [sys.executable, "-m", "monai.bundle", "run", *given]
        sys.argv = ["", "run", *given]
        try:
            runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
            status = 0
        except Exception:  # noqa: BLE001 (as the interpreter does)
            sys.excepthook(*sys.exc_info())
            status = 1
    return Result(status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Undo what a run does to its process, and keep its measurements in it."""
    root, ignite = logging.getLogger(), logging.getLogger("ignite")
    before = root.handlers[:], root.level, ignite.handlers[:], ignite.level, ignite.propagate
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            mock.patch.multiple(
                sys, path=sys.path[:], argv=sys.argv, orig_argv=sys.orig_argv, excepthook=sys.excepthook
            ),
            mock.patch.object(parallel, "usable_cores", lambda: 1),
        ):
            yield
    finally:
        torch.set_num_threads(threads)
        root.handlers[:], root.level, ignite.handlers[:], ignite.level, ignite.propagate = before


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        bundle: ``acdc``, ``brats``, ``kits`` or ``hippocampus``.
        data: its dataset.
        folder: its output.
        cache: its store.
        result: how it ended.
        settings: its overrides.
    """

    bundle: str
    data: Path
    folder: Path
    cache: Path
    result: Result
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> dict[str, Any]:
        """Return the ids that inference and evaluation need."""
        return json.loads((self.folder / "network.json").read_text())


def train_here(bundle: str, data: Path, folder: Path, cache: Path, /, *more_files: Path, **settings: Any) -> Run:
    """Train a bundle for seconds in this process."""
    overrides = training(bundle, **{"dataset_dir": data, "output_dir": folder, "cache_dir": cache, **settings})
    result = run_here(*arguments("training", config(bundle, "train"), *more_files, **overrides))
    return Run(bundle, data, folder, cache, result, overrides)


def evaluate_here(run: Run, out: Path, /, *more_files: Path, run_id: str = "evaluating", **settings: Any) -> Result:
    """Evaluate a training in this process, with the network it recorded."""
    overrides = {
        "dataset_dir": run.data,
        "output_dir": out,
        "checkpoint": run.folder / "model.pt",
        "args_file": run.folder / "network.json",
        **settings,
    }
    return run_here(
        *arguments(run_id, config(run.bundle, "evaluate"), *more_files, **evaluation_overrides(run.bundle, **overrides))
    )


def infer_here(run: Run, scan: Path, out: Path, /, *more_files: Path, **settings: Any) -> Result:
    """Segment a file or a folder in this process, with the network the training recorded."""
    # inference.json has a step more at the start: LoadImaged and EnsureChannelFirstd for LoadCased.
    grid = {key.replace("#1#", "#2#"): value for key, value in GRID[run.bundle].items()}
    overrides = {
        "input": scan,
        "output_dir": out,
        "checkpoint": run.folder / "model.pt",
        "args_file": run.folder / "network.json",
        "device": "cpu",
        **grid,
        **settings,
    }
    return run_here(*arguments("run", config(run.bundle, "inference"), *more_files, **overrides))


def half_written(*folders: Path) -> list[Path]:
    """Return the temporary files and folders that were left behind."""
    return [path for folder in folders if folder.exists() for path in folder.rglob(".writing-*")]
