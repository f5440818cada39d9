"""Shared by the benchmarks of whole runs: a full-size CT in KiTS19's layout, and time and memory of a command."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from regionwise.nifti import read_header, write_volume
from regionwise.phantoms.write import phantom

GIB = 1 << 30
SLICES = 600


def write_kits(folder: Path, cases: int = 1, size: int = 512, slices: int = SLICES) -> None:
    """Write equal cases in KiTS19's layout, int16 CT and uint8 labels: a phantom whose slices are repeated, with noise.

    Args:
        folder: a new folder.
        cases: how many (links to the files of the first).
        size: rows and columns.
        slices: of each case.
    """
    with tempfile.TemporaryDirectory() as temporary:
        with contextlib.redirect_stdout(None):
            phantom("kits", f"{temporary}/thick", subjects=1, size=size)
        first = folder / "case_00000"
        for name in ("imaging.nii.gz", "segmentation.nii.gz"):
            thick = read_header(f"{temporary}/thick/case_00000/{name}")
            repeats = -(-slices // thick.shape[0])
            affine = thick.affine.copy()
            affine[:, 0] /= repeats
            thin = np.repeat(np.asarray(thick.dataobj), repeats, axis=0)[:slices]
            if name == "imaging.nii.gz":  # or the file would be far smaller than a real one
                thin += np.random.default_rng(0).integers(-12, 13, thin.shape, thin.dtype)
            write_volume(first / name, thin, affine)
    for number in range(1, cases):
        copy = folder / f"case_{number:05d}"
        copy.mkdir()
        for path in first.iterdir():
            os.link(path, copy / path.name)


def measured(command: Sequence[str], limit_gib: float = 8.0) -> tuple[float, float]:
    """Run a command and return its seconds and its peak memory in GiB, its worker processes included.

    Memory is the proportional set size, so that what processes share counts once (Linux); it is looked up 20 times a
    second.

    Args:
        command: program and arguments.
        limit_gib: the command is killed above this, for the sake of others on the machine.

    Raises:
        MemoryError: If it exceeded the limit.
        RuntimeError: If it failed; the message has the end of its output.
    """
    start, peak = time.perf_counter(), 0.0
    with tempfile.TemporaryFile() as output:
        # The command must not outlive this process.
        handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            while process.poll() is None:
                peak = max(peak, memory_of_tree(process.pid) / GIB)
                if peak > limit_gib:
                    raise MemoryError(f"stopped above {limit_gib:g} GiB: {' '.join(command)}")
                time.sleep(0.05)
        finally:
            signal.signal(signal.SIGTERM, handler)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # its own group: itself and its workers
                process.wait()
        if process.returncode:
            output.seek(0)
            end = output.read().decode(errors="replace")[-3000:]
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{end}")
    return time.perf_counter() - start, peak


def memory_of_tree(pid: int) -> int:
    """Return the proportional set size of a process and its descendants in bytes; 0 once it is gone."""
    total = 0
    # A process may end at any moment between two lines.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(memory_of_tree(int(child)) for child in (task / "children").read_text().split())
    return total
