"""``python -m tests.campaign``: run the campaign, print its table and every failure; exit status 1 if there is one."""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .bad_overrides import try_runner
from .bad_values import try_commands
from .chosen import try_chosen
from .hostile_bundles import try_bundles, try_known_tricks
from .kills import try_kills
from .mutated_inference import try_inference
from .mutated_scans import try_scans
from .trial import Trial, table

Area = Callable[[np.random.Generator, int, Path], Iterator[Trial]]
# Area to its trials in a small and in a full campaign; of mutated files, for each reader.
AREAS: dict[str, tuple[Area, int, int]] = {
    "commands": (try_commands, 120, 1200),
    "runner": (try_runner, 40, 400),
    "scans": (try_scans, 30, 300),
    "inference": (try_inference, 30, 300),
    "bundles": (try_bundles, 25, 250),
    "tricks": (try_known_tricks, 10, 1000),
    "kills": (try_kills, 6, 60),
    "chosen": (try_chosen, 60, 1000),
}


def main(words: list[str] | None = None) -> int:
    """Run the campaign and return its exit status."""
    parser = argparse.ArgumentParser(prog="scripts/campaign.sh", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other inputs of the same kinds")
    parser.add_argument("--size", choices=("small", "full"), default="small", help="minutes, or an hour")
    parser.add_argument("--count", type=int, help="trials of each area, in place of those of the size")
    parser.add_argument("--areas", nargs="+", choices=AREAS, default=list(AREAS))
    given = parser.parse_args(words)
    logging.getLogger("nibabel").setLevel(logging.CRITICAL)  # of every header that it mends
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.areas:
            area, small, full = AREAS[name]
            started = time.monotonic()
            random = np.random.default_rng([given.seed, list(AREAS).index(name)])
            count = given.count or (small if given.size == "small" else full)
            for trial in area(random, count, Path(folder) / name):
                trials.append(trial)
                if trial.problem:
                    print(f"failed: {trial.area}: {trial.command}\n        {trial.problem}", flush=True)
            print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(table(trials))
    return int(any(trial.problem for trial in trials))


if __name__ == "__main__":
    sys.exit(main())
