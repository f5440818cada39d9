#!/usr/bin/env python
"""Time and peak memory of inference on a CT of 600x512x512 voxels, each configuration in a fresh process.

python scripts/benchmarks/benchmark_inference.py [--quick] [--markdown] [--only TEXT] [--slices N] [--limit_gib N]
    [--folder DIR]

The commands are those of the KiTS bundle's card, with a small network of random weights, so that what is measured is
what surrounds the network. Memory includes worker processes.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import torch
from _large_case import measured, write_kits
from _timing import machine, print_line
from monai.bundle import ConfigParser

CONFIGS = Path(__file__).resolve().parents[2] / "bundles" / "kits_rrw" / "configs"
TARGET_GIB = 6.0
FILTERS = [4, 8, 8, 8, 8, 8, 8]

RUNS = {
    "evaluate.json without the report: labels": ("evaluate.json", {"tta": False, "run": "$[@evaluator.run()]"}),
    "evaluate.json without the report: probabilities too": (
        "evaluate.json",
        {"tta": False, "run": "$[@evaluator.run()]", "save_probabilities": True},
    ),
    # The labels of random weights are no anatomy: more surface to measure than a trained network's.
    "evaluate.json and its report": ("evaluate.json", {"tta": False}),
    "inference.json (MONAI's classes alone)": ("inference.json", {}),
    "predict --uncertainty: mirrored copies": ("predict", {}),
    "predict --uncertainty: mirrored copies, probabilities too": ("predict", {"save_probabilities": True}),
    "predict --uncertainty: dropout": ("predict", {"tta": False, "dropout": 0.1, "samples": 4}),
    "predict --uncertainty: dropout, 3-D network": (
        "predict",
        {"tta": False, "dropout": 0.1, "samples": 2, "args_file": CONFIGS / "spatial_3d.json"},
    ),
}


def filters(overrides: dict[str, object]) -> list[int]:
    """Return the filters of the small network, which has as many levels as the bundle's."""
    return FILTERS[:6] if "args_file" in overrides else FILTERS


def write_weights(path: Path, overrides: dict[str, object]) -> None:
    """Write random weights of the small network."""
    parser = ConfigParser()
    parser.read_config([CONFIGS / "inference.json", *([overrides["args_file"]] if "args_file" in overrides else [])])
    parser["filters"] = filters(overrides)
    torch.manual_seed(0)
    torch.save(parser.get_parsed_content("network_def").state_dict(), path)


def command(config: str, overrides: dict[str, object], folder: Path) -> list[str]:
    """Return the command that runs a configuration of the bundle on the scan in ``folder``."""
    settings = {"output_dir": folder / "out", "checkpoint": folder / "model.pt", "filters": filters(overrides)}
    if config == "evaluate.json":
        settings |= {"dataset_dir": folder / "kits", "section": "all"}
    else:
        settings |= {"input": folder / "kits" / "case_00000" / "imaging.nii.gz"}
    if config == "inference.json":
        settings |= {"bundle_root": folder}
    pairs = [text for name, value in (settings | overrides).items() for text in (f"--{name}", str(value))]
    if config == "predict":
        bundle = ["--bundle", str(CONFIGS.parent), "--uncertainty", "--overwrite", "true"]
        return [sys.executable, "-m", "regionwise", "predict", *bundle, *pairs]
    return [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(CONFIGS / config), *pairs]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a scan of 40x96x96: does it run, not a figure to quote")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--only", default="", help="only the rows whose name contains this text")
    parser.add_argument("--slices", type=int, default=600, help="slices of the scan")
    parser.add_argument("--limit_gib", type=float, default=8.0, help="stop a run that needs more")
    parser.add_argument("--folder", help="where scans and results go (by default a temporary folder)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    separator = " | " if options.markdown else "  "
    print(machine() + "\n")
    print_line(["run", "scan", "seconds", "peak, GiB", "", "target", "met", ""], separator, options.markdown)
    if options.markdown:
        print_line(["---"] * 8, separator, True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        slices, size = (40, 96) if options.quick else (options.slices, 512)
        if not (folder / "kits").is_dir():
            write_kits(folder / "kits", slices=slices, size=size)
        for name, (config, overrides) in RUNS.items():
            if options.only in name:
                write_weights(folder / "model.pt", overrides)
                line = report(name, f"{slices}x{size}x{size}", command(config, overrides, folder), options.limit_gib)
                print_line(line, separator, options.markdown)


def report(name: str, scan: str, run: list[str], limit_gib: float) -> list[str]:
    """Run a command and return its line of the table."""
    try:
        seconds, gib = measured(run, limit_gib)
    except MemoryError:
        return [name, scan, "-", f"> {limit_gib:g}", "", f"<= {TARGET_GIB:g}", "no", ""]
    return [
        name,
        scan,
        f"{seconds:.0f}",
        f"{gib:.2f}",
        "",
        f"<= {TARGET_GIB:g}",
        "yes" if gib <= TARGET_GIB else "no",
        "",
    ]


if __name__ == "__main__":
    main()
