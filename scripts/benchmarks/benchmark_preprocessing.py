#!/usr/bin/env python
"""Time of preprocessing a dataset with several processes, per voxel, against nnUNetv2_preprocess on the same cases.

python scripts/benchmarks/benchmark_preprocessing.py [--bundle NAME] [--subjects N] [--turns N] [--workers N]
    [--nnunet DIR] [--markdown] [--folder DIR]

DIR holds nnU-Net's commands; by default they are looked for where the shell finds commands, and without them only ours
is timed. Both run as commands, in turns; what each takes with nothing to preprocess (imports, mostly) is measured too
and subtracted. nnU-Net's plan is its 2-D one for a 2-D bundle, else 3d_fullres. Both read the images as they are,
resample and normalize them; ours adds the distance of every voxel, nnU-Net a list of voxels per class as ours does.
"""

import argparse
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from _timing import machine
from monai.bundle import ConfigParser
from regionwise.datasets import LABELS, read_cases
from regionwise.files import write_json
from regionwise.nifti import read_header
from regionwise.phantoms.write import phantom

CONFIGS = Path(__file__).resolve().parents[2] / "bundles"
DATASETS = {"acdc": "acdc", "kits": "kits", "hippocampus": "msd"}  # BraTS has labels 0, 1, 2 and 4: not for nnU-Net
NAME, NUMBER = "Dataset999_Phantom", "999"
Times = tuple[float, float]  # seconds, CPU seconds


def timed(work: Callable[[], None]) -> Times:
    """Return what commands take, their worker processes included."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def command(words: list[str], **environment: str) -> None:
    """Run a command.

    Raises:
        RuntimeError: If it failed; the message has the end of its output.
    """
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")


def ours(bundle: str, data: Path, cache: Path, workers: int) -> None:
    """Preprocess the cases of a bundle into a folder; cases that are there already are found."""
    config = CONFIGS / f"{bundle}_rrw" / "configs" / "train.json"
    both = "$[len(@train#dataset), len(@validate#dataset)]"
    settings = {"dataset_dir": data, "cache_dir": cache, "num_workers": workers, "split": "kfold", "folds": 2}
    pairs = [str(part) for name, value in settings.items() for part in (f"--{name}", value)]
    command([sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config), *pairs, "--run", both])


class NnUNet:
    """nnU-Net's preprocessing of the same cases.

    Args:
        programs: folder of its commands.
        folder: for its data.
        plan: ``2d`` or ``3d_fullres``.
    """

    def __init__(self, programs: Path, folder: Path, plan: str) -> None:
        self.programs, self.plan = programs, plan
        self.paths = {f"nnUNet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")}

    def write(self, dataset: str, data: Path) -> None:
        """Link the cases into nnU-Net's layout, and let it plan."""
        raw = Path(self.paths["nnUNet_raw"]) / NAME
        for kind in ("imagesTr", "labelsTr"):
            (raw / kind).mkdir(parents=True)
        cases = read_cases(dataset, data)
        for case in cases:
            images = case["image"] if isinstance(case["image"], list) else [case["image"]]
            for channel, image in enumerate(images):
                os.link(image, raw / "imagesTr" / f"{case['case_id']}_{channel:04d}.nii.gz")
            os.link(case["label"], raw / "labelsTr" / f"{case['case_id']}.nii.gz")
        labels = {name: index for index, name in enumerate(["background", *list(LABELS[dataset].values())[1:]])}
        write_json(
            raw / "dataset.json",
            {
                "channel_names": {str(channel): f"channel {channel}" for channel in range(len(images))},
                "labels": labels,
                "numTraining": len(cases),
                "file_ending": ".nii.gz",
            },
        )
        self.run("extract_fingerprint", "-np", "2")
        self.run("plan_experiment")

    def preprocess(self, workers: int) -> None:
        """Preprocess all cases anew."""
        self.run("preprocess", "-c", self.plan, "-np", str(workers))

    def start(self) -> None:
        """Import what preprocessing needs."""
        imports = "import nnunetv2.experiment_planning.plan_and_preprocess_api"
        command([str(self.programs / "python"), "-c", imports], **self.paths)

    def run(self, name: str, *options: str) -> None:
        """Run one of its commands on the dataset."""
        command([str(self.programs / f"nnUNetv2_{name}"), "-d", NUMBER, *options], **self.paths)


def difference(whole: list[Times], start: list[Times]) -> Times:
    """Return the medians of times less those of the start."""
    wall, cpu = (median(times[clock] for times in whole) - median(times[clock] for times in start) for clock in (0, 1))
    return wall, cpu


def measure(options: argparse.Namespace, folder: Path) -> list[list[str]]:
    """Return the lines of the table."""
    dataset, data = DATASETS[options.bundle], folder / options.bundle
    if not data.is_dir():
        with contextlib.redirect_stdout(None):
            phantom(dataset, str(data), subjects=options.subjects)
    voxels = sum(np.prod(read_header(case["label"]).shape) for case in read_cases(dataset, data)) / 1e6
    own: dict[str, tuple[list[Times], list[Times]]] = {"ours": ([], [])}
    rival = make_rival(options, dataset, data, folder)
    if rival:
        own["nnU-Net"] = ([], [])
    for turn in range(options.turns):
        cache = folder / f"cache{turn}"
        for times in own["ours"]:  # with everything to do, then with nothing
            times.append(timed(lambda cache=cache: ours(options.bundle, data, cache, options.workers)))
        shutil.rmtree(cache)
        if rival:
            own["nnU-Net"][0].append(timed(lambda: rival.preprocess(options.workers)))
            own["nnU-Net"][1].append(timed(rival.start))
    found = {name: difference(*times) for name, times in own.items()}
    what = f"{options.bundle}, {voxels:.1f} million voxels, {options.workers} processes"
    lines = [[what, name, *(f"{value / voxels * 1e3:.0f} ms" for value in times)] for name, times in found.items()]
    if rival:
        ratios = [mine / theirs for mine, theirs in zip(found["ours"], found["nnU-Net"], strict=True)]
        met = "met" if ratios[0] <= 1 else "missed"
        lines.append(["ours / nnU-Net", f"<= 1: {met}", *(f"{ratio:.2f}" for ratio in ratios)])
    return lines


def make_rival(options: argparse.Namespace, dataset: str, data: Path, folder: Path) -> NnUNet | None:
    """Return nnU-Net with the cases in its layout; None, and a line that says so, where it is not installed."""
    program = shutil.which("nnUNetv2_preprocess", path=options.nnunet)
    if program is None:
        print("nnUNetv2_preprocess is not installed: only ours is timed (pip install nnunetv2)", file=sys.stderr)
        return None
    parser = ConfigParser()
    parser.read_config(CONFIGS / f"{options.bundle}_rrw" / "configs" / "train.json")
    rival = NnUNet(Path(program).parent, folder, "2d" if len(parser["patch_size"]) == 2 else "3d_fullres")
    rival.write(dataset, data)
    return rival


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="acdc", choices=DATASETS, help="whose preprocessing")
    parser.add_argument("--subjects", type=int, default=20, help="of the phantom")
    parser.add_argument("--turns", type=int, default=3, help="runs of each")
    parser.add_argument("--workers", type=int, default=2, help="processes of each")
    parser.add_argument("--nnunet", help="folder of nnU-Net's commands")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--folder", help="where images and stores go (by default a temporary folder)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(machine() + "\n")
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        lines = [["work", "by", "per million voxels", "CPU"], *measure(options, Path(temporary))]
    if options.markdown:
        lines.insert(1, ["---"] * 4)
    for line in lines:
        print(f"| {' | '.join(line)} |" if options.markdown else "  ".join(f"{cell:<44}" for cell in line).rstrip())


if __name__ == "__main__":
    main()
