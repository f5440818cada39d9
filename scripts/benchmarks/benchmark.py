#!/usr/bin/env python
"""Time this package against what it replaces: one process, rivals interleaved (A B A B), medians and their ratio.

python scripts/benchmarks/benchmark.py [--quick] [--markdown] [--threads N] [--cpu_time] [--only TEXT]

The published formulas are transcribed in published.py, beside this file. Peak memory is that of a fresh process doing
the work once, above what it held before. "others" is how many cores other processes kept busy meanwhile: on two cores,
a row with more than about 0.1 says little, least of all about work on two threads. There --cpu_time with --threads 1
says more: times of this process alone.
"""

import argparse
import subprocess
import sys
import time
import warnings
from pathlib import Path

import published
import torch
from _rows import brats_labels, device_rows, loss_rows, map_rows, precision_rows, step_rows
from _timing import Row, busy_seconds, interleaved, machine, print_line, report
from regionwise.distance import normalized_distance
from regionwise.maps import region_wise_map

MEMORY = {
    "map/ours": lambda labels: region_wise_map(labels, 4),
    "map/theirs": lambda labels: published.published_rrw_map(labels, 4),
    "distance/ours": normalized_distance,
    "distance/theirs": lambda labels: published.published_rrw_map(labels, 4),
}


def peak_memory_mb(name: str) -> float:
    """Return the peak memory of one run in a fresh process, above what it held before, in MB."""
    command = [sys.executable, __file__, "--memory-of", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_own_peak(name: str) -> None:
    """Do the work once and print by how many MB the process's largest size grew."""
    labels = brats_labels()
    MEMORY[name](labels[:8, :8, :8].copy())  # imports and pools
    Path("/proc/self/clear_refs").write_text("5")  # the largest size so far is forgotten (Linux)
    before = _status_kb("VmRSS")
    result = MEMORY[name](labels)
    assert result.size  # still held
    print((_status_kb("VmHWM") - before) * 1024 / 1e6)


def _status_kb(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def memory_report(row: Row) -> list[str]:
    """Return the table line about a row's peak memory."""
    mine, other = (peak_memory_mb(f"{row.memory}/{side}") for side in ("ours", "theirs"))
    ratio = mine / other
    line = [f"peak memory, {row.work}", row.rival, f"{mine:.0f} MB", f"{other:.0f} MB", f"{ratio:.2g}x"]
    return [*line, "<= 0.35x", "yes" if ratio <= 0.35 else "no"]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats: a look, not a figure to quote")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--threads", type=int, help="threads of torch and edt; 1 is steadier on a busy machine")
    parser.add_argument("--cpu_time", action="store_true", help="CPU time of this process in place of the clock")
    parser.add_argument("--only", default="", help="only the rows whose work contains this text")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print_own_peak(options.memory_of)
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    clock = time.process_time if options.cpu_time else time.perf_counter
    print(machine() + "\n")
    separator = " | " if options.markdown else "  "
    head = ["work", "against", "ours, ms (min-max)", "theirs, ms (min-max)", "ratio", "target", "met", "others"]
    print_line(head, separator, options.markdown)
    if options.markdown:
        print_line(["---"] * len(head), separator, True)
    for rows in (map_rows, loss_rows, step_rows, precision_rows, device_rows):
        for row in rows():
            if options.only not in row.work:
                continue
            repeats = (3 if row.slow else 7) if options.quick else (9 if row.slow else 31)
            start, busy = time.perf_counter(), busy_seconds()
            line = report(row, *interleaved(row.ours, row.theirs, repeats, clock))
            others = (busy_seconds() - busy) / (time.perf_counter() - start)
            print_line([*line, f"{others:.1f}"], separator, options.markdown)
            if row.memory:
                print_line([*memory_report(row), ""], separator, options.markdown)


if __name__ == "__main__":
    main()
