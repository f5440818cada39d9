"""Run a command of a cell and record what it took: wall time, peak memory, energy, machine, versions."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import regionwise
from regionwise.errors import InputError

_PACKAGES = ("torch", "monai", "numpy", "scipy", "nibabel", "pytorch-ignite", "edt")
_CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_RAPL = Path("/sys/class/powercap")


def run(command: Sequence[str], log: Path, keep_open: Sequence[int] = ()) -> dict[str, Any]:
    """Run a command, append what it prints to a log, and measure it.

    Args:
        command: Program and arguments.
        log: File to append to.
        keep_open: File descriptors that the command inherits.

    Returns:
        ``wall_s``, ``cpu_s``, ``peak_memory_gib`` (of the largest process) and ``energy_j`` (None where the counters
        cannot be read; it is that of the whole CPU, other programs included).

    Raises:
        InputError: If the command fails; the message is its last line.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    before, started = _energy_uj(), time.monotonic()
    with log.open("ab") as file:
        file.write(("$ " + " ".join(command) + "\n").encode())
        file.flush()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, pass_fds=keep_open)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError(f"{_last_line(log)} (exit status {process.returncode}; all of it is in {log})")
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "wall_s": round(time.monotonic() - started, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_memory_gib": round(used.ru_maxrss * unit / 2**30, 2),
        "energy_j": _energy_between(before, _energy_uj()),
    }


def machine() -> dict[str, Any]:
    """CPU, its vector units, threads, GPUs, operating system."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    return {
        "cpu": facts.get("model name", platform.processor()),
        "units": [flag for flag in _CPU_FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "gpus": _gpus(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Versions of the packages that compute."""
    return {"regionwise": regionwise.__version__, **{name: _version(name) for name in _PACKAGES}}


def package_digest() -> str:
    """SHA-256 of the source of the package that ran."""
    folder = Path(regionwise.__file__).parent
    digest = sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _gpus() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines() if done.returncode == 0 else []


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return errors[-1] if errors and lines and lines[-1].startswith("error: ") else next(filter(None, lines[::-1]), "")


def _energy_uj() -> dict[Path, int]:
    """Return the counter of each CPU package in microjoules; root's only on most machines, absent on virtual ones."""
    found = {}
    for zone in sorted(_RAPL.glob("intel-rapl:?")):
        try:
            found[zone] = int((zone / "energy_uj").read_text())
        except (OSError, ValueError):
            continue
    return found


def _energy_between(before: dict[Path, int], after: dict[Path, int]) -> float | None:
    if not before or before.keys() != after.keys():
        return None
    total = 0
    for zone, first in before.items():
        # The counter wraps around; a training takes longer than one round on a fast machine, which nothing can tell.
        span = int((zone / "max_energy_range_uj").read_text())
        total += (after[zone] - first) % (span + 1)
    return round(total / 1e6, 1)
