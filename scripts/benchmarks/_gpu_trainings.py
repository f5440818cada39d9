"""Steps of `gpu.py` that train the bundles: their plans, how long the GPU waits for data, and a resumed run."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from regionwise.phantoms.write import phantom

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
DATASETS = {"acdc": "acdc", "brats": "brats", "kits": "kits", "hippocampus": "msd"}
WORKERS = (2, 4, 8, 16)
MOST_WAITING = 0.05
PLAN_GIB = 11.0
MOST_LOSS = 0.01  # how far two processes may end from one: sums in another order
TOY = {
    "epochs": 1, "iterations_per_epoch": 2, "batch_size": 2, "num_workers": 0, "amp": False, "folds": 2,
    "filters": [4, 8, 8, 8], "kernel_size": [3, 3, 3, 3], "upsampling": [2, 2, 2], "train#trainer#compile": False,
}  # fmt: skip


def training_lines(name: str, device: str, out: Path, toy: bool) -> Iterator[tuple[str, str, str, str]]:
    """Yield what trainings of a bundle with its full plan print: speed, share of waiting, memory, Dice."""
    for workers in (0,) if toy else WORKERS:
        length = {} if toy else {"epochs": 2, "iterations_per_epoch": 100, "val_interval": 2}
        seconds, text = train(name, device, out, toy, f"workers{workers}", num_workers=workers, **length)
        speed, waiting = last_epoch(text)
        met = "" if toy or workers != 8 or name != "acdc" else "yes" if waiting <= MOST_WAITING else "no"
        target = f"<= {MOST_WAITING:.0%}" if name == "acdc" and workers == 8 else ""
        yield f"{name}, {workers} workers: waiting for data at {speed:.2f} it/s", f"{waiting:.0%}", target, met
    memory = re.search(r"on the GPU ([\d.]+) GiB", text)
    if memory:
        met = "yes" if float(memory[1]) <= PLAN_GIB else "no"
        yield f"{name}: peak memory of the plan", f"{memory[1]} GiB", f"<= {PLAN_GIB:g} GiB", met
    if name == "hippocampus" or toy:
        # The recipe as it is; on real scans its target is a nnU-Net's Dice of 0.903 and 0.887.
        seconds, text = train(name, device, out, toy, "recipe")
        yield f"{name}: the bundle's own recipe", f"best Dice {best_dice(text):.3f} in {seconds / 60:.1f} min", "", ""


def resume_lines(device: str, out: Path, toy: bool) -> Iterator[tuple[str, str, str, str]]:
    """Yield whether a run of this device goes on on the CPU."""
    name, length = "hippocampus", {"epochs": 2, "iterations_per_epoch": 2, "val_interval": 1}
    train(name, device, out, toy, "resume", max_minutes=1e-4, **length)
    _, text = train(name, "cpu", out, toy, "resume", resume=True, **length)
    done = "epoch 2/2" in text and "epoch 1/2" not in text
    yield (
        f"{name}: one epoch on {device}, the next on cpu",
        "went on" if done else "began anew",
        "",
        "yes" if done else "no",
    )


def precision_lines(device: str, out: Path, toy: bool) -> Iterator[tuple[str, str, str, str]]:
    """Yield what short trainings of the hippocampus network reach in each precision, from the same seed."""
    length = {} if toy else {"epochs": 3, "iterations_per_epoch": 100, "val_interval": 3}
    for amp in (False, "bfloat16") if device == "cpu" else (False, "bfloat16", True):
        _, text = train("hippocampus", device, out, toy, f"amp-{amp}", **length, amp=amp)
        speed, dice = last_epoch(text)[0], best_dice(text)
        yield f"hippocampus, --amp {amp}", f"{speed:.2f} it/s, Dice {dice:.3f}", "", ""


def processes_lines(device: str, out: Path, toy: bool) -> Iterator[tuple[str, str, str, str]]:
    """Yield whether two processes train as one does: on one GPU through Gloo, on two through NCCL."""
    length = {"epochs": 1, "iterations_per_epoch": 4, "val_interval": 1, "augmentation": "workers", "amp": False}
    length["train#trainer#compile"] = False
    losses = []
    for count in (1, 2):
        _, text = train("hippocampus", device, out, toy, f"processes{count}", count, **length)
        losses.append(float(re.findall(r"epoch 1/1  loss (-?[\d.]+)", text)[-1]))
    met = "yes" if abs(losses[0] - losses[1]) <= MOST_LOSS else "no"
    yield "hippocampus: loss of two processes, against one", f"{losses[1]:.4f}, {losses[0]:.4f}", f"+-{MOST_LOSS}", met


def train(
    name: str, device: str, out: Path, toy: bool, run: str, processes: int = 1, **settings: object
) -> tuple[float, str]:
    """Train a bundle and return the seconds and what it printed.

    Raises:
        RuntimeError: If it failed; the message has the end of its output.
    """
    data = out / "data" / name
    if not data.is_dir():
        with contextlib.redirect_stdout(None):
            phantom(DATASETS[name], str(data), subjects=4 if toy else 16, **({"preset": "small"} if toy else {}))
    toys = {**TOY, "patch_size": [16, 16, 16] if name == "hippocampus" else [32, 32]} if toy else {}
    folders = {"dataset_dir": data, "cache_dir": out / "cache", "output_dir": out / "runs" / f"{name}-{run}"}
    pairs = {**folders, **({"device": device} if processes == 1 else {}), **toys, **settings}
    configs = [str(BUNDLES / f"{name}_rrw" / "configs" / "train.json")]
    start_with = [sys.executable]
    if processes > 1:  # each takes the device of its rank
        configs.append(configs[0].replace("train.json", "multi_gpu_train.json"))
        start_with += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [*start_with, "-m", "monai.bundle", "run", "training", "--config_file", str(configs)]
    command += [text for key, value in pairs.items() for text in (f"--{key}", str(value))]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return time.perf_counter() - start, done.stdout + done.stderr


def last_epoch(text: str) -> tuple[float, float]:
    """Return iterations per second and the share of time spent waiting for data, of the last epoch."""
    speed, waiting = re.findall(r"([\d.]+) it/s  waiting for data (\d+) ?%", text)[-1]
    return float(speed), float(waiting) / 100


def best_dice(text: str) -> float:
    """Return the best validation Dice."""
    return float(re.findall(r"best Dice ([\d.]+)", text)[-1])
