#!/usr/bin/env python
"""CPU time of sliding windows with mirrored copies, against one forward pass per copy: rivals interleaved, one thread.

python scripts/benchmarks/benchmark_windows.py [--quick] [--markdown] [--turns N]

The network is that of the hippocampus bundle with random weights, and the same with few filters. "windows" is what 8
scans of 128 windows and copies would take: 1,024 forward passes of one.
"""

import argparse
import os
import time
from itertools import combinations
from pathlib import Path
from statistics import median

import torch
from _timing import Row, interleaved, machine, print_line, report
from monai.bundle import ConfigParser
from regionwise.inference import ProbabilityEnsemble, VolumeInferer
from torch import nn

CONFIG = Path(__file__).resolve().parents[2] / "bundles" / "hippocampus_rrw" / "configs" / "inference.json"
FILTERS = ([16, 32, 64, 128], [4, 8, 8, 8])
COUNTED, TARGET_S = 8 * 128, 60.0
AGREEMENT = 1e-5


class OneByOne(nn.Module):
    """`ProbabilityEnsemble` of one network with a forward pass per mirrored copy."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the mean probabilities of all copies."""
        axes = range(2, image.ndim)
        flips = [flip for count in range(len(axes) + 1) for flip in combinations(axes, count)]
        return sum(self.network(image.flip(flip)).float().softmax(1).flip(flip) for flip in flips) / len(flips)


def window_row(filters: list[int], bfloat16: bool, turns: int, quick: bool) -> list[list[str]]:
    """Return the table line of a network, and that of what 8 scans of 128 windows would take."""
    parser = ConfigParser()
    parser.read_config(CONFIG)
    parser["filters"] = filters
    torch.manual_seed(0)
    network = parser.get_parsed_content("network_def").eval()
    size = [16, 16, 16] if quick else parser["patch_size"]
    scan, passes = torch.randn(1, 1, size[0] * 3 // 2, *size[1:]), 2 * 8
    inferer = VolumeInferer(size, overlap=0.5, probabilities=True)

    @torch.no_grad()
    def run(predictor: nn.Module) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return inferer(scan, predictor)

    ours, theirs = ProbabilityEnsemble([network]), OneByOne(network)
    error = float((run(ours) - run(theirs)).abs().max())
    if error > AGREEMENT and not bfloat16:
        raise AssertionError(f"the two differ by {error:.2g}")
    times = interleaved(lambda: run(ours), lambda: run(theirs), turns, time.process_time)
    precision = "bfloat16" if bfloat16 else "float32"
    what = f"2 windows with mirrored copies, filters {filters}, {precision}"
    seconds = [median(values) / passes * COUNTED / 1e3 for values in times]
    met = "yes" if seconds[0] <= TARGET_S else "no"
    longer = [f"{COUNTED} windows", "", *(f"{value:.0f} s" for value in seconds), "", f"<= {TARGET_S:g} s", met]
    return [report(Row(what, "one copy per pass", print, print, 1.0, faster=True), *times), longer]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small windows: does it run, not a figure to quote")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--turns", type=int, default=5, help="of each")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    separator = " | " if options.markdown else "  "
    print(machine() + "\n")
    head = ["work", "against", "ours, ms (min-max)", "theirs, ms (min-max)", "ratio", "target", "met", ""]
    print_line(head, separator, options.markdown)
    if options.markdown:
        print_line(["---"] * 8, separator, True)
    for filters in FILTERS:
        for bfloat16 in (False, True):
            for line in window_row(filters, bfloat16, options.turns, options.quick):
                print_line([*line, ""], separator, options.markdown)


if __name__ == "__main__":
    main()
