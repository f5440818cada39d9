#!/usr/bin/env python
"""Time of one training sample, cost of the store, and memory of training on a CT of 600x512x512 voxels.

python scripts/benchmarks/benchmark_data.py [--quick] [--markdown] [--only TEXT] [--folder DIR] [--limit_gib N]

Ours: the bundle's dataset. The rivals: MONAI's `CacheDataset` of the same preprocessed volumes and distances, a crop of
one slice, and the same random transforms. Each sample is made in a loader's process with one thread, as in training;
rivals take turns. The crop at random places asks less of the rival than ours does (every third patch of ours is
centered on a labeled voxel); `RandCropByPosNegLabeld` does the same.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from _large_case import GIB, measured, write_kits
from _timing import Row, busy_seconds, machine, print_line, report
from monai.bundle import ConfigParser
from monai.data import CacheDataset
from monai.transforms import Compose, EnsureTyped, RandCropByPosNegLabeld, RandSpatialCropd, SpatialPadd, SqueezeDimd
from regionwise.data.patches import PatchDataset
from regionwise.phantoms.write import phantom
from regionwise.transforms import NormalizedDistanced, StackTargetd
from torch.utils.data import DataLoader, Dataset

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
SIZES = {"acdc": 256, "kits": 512, "brats": 240}
TARGETS = {"acdc": 1.5, "kits": 1.5, "brats": 6.0}
KEYS = ["image", "label", "distance"]
MEMORY_GIB = 8.0
SMALL = [4, 8, 8, 8, 8, 8, 8]


class InTurns(Dataset):
    """Times of datasets in ms: item ``i`` makes sample ``i`` of each in turn.

    Args:
        datasets: with the same number of samples, or an endless one.
        repeats: samples to time.
    """

    def __init__(self, datasets: list[Dataset], repeats: int) -> None:
        self.datasets, self.repeats = datasets, repeats

    def __len__(self) -> int:
        return self.repeats

    def __getitem__(self, index: int) -> list[float]:
        times = []
        for dataset in self.datasets:
            start = time.perf_counter()
            dataset[index % len(dataset) if isinstance(dataset, CacheDataset) else index]
            times.append((time.perf_counter() - start) * 1e3)
        return times


def bundle_dataset(name: str, dataset_dir: Path, cache_dir: Path) -> PatchDataset:
    """Return the training dataset of a bundle over all cases in a folder."""
    parser = ConfigParser()
    parser.read_config(BUNDLES / f"{name}_rrw" / "configs" / "train.json")
    parser.update({"dataset_dir": str(dataset_dir), "cache_dir": str(cache_dir), "num_workers": 0})
    parser["augmentation"] = "workers"
    parser["train"]["dataset"]["data"] = "$@train#datalist(section='all')"
    if name == "acdc":
        # The phantom's field of view is a heart's: this spacing gives slices as large as those of patients.
        parser["train"]["preprocessing"]["transforms"][1]["pixdim"] = [0.6, 0.6, -1]
    return parser.get_parsed_content("train#dataset")


def rival_datasets(ours: PatchDataset, slice_axis: int) -> dict[str, CacheDataset]:
    """Return what a user of MONAI alone would write, by the name of the crop."""
    slice_size = list(ours.patch_size)
    slice_size.insert(slice_axis, 1)
    crops = {
        "RandSpatialCropd": RandSpatialCropd(KEYS, slice_size, random_size=False),
        "RandCropByPosNegLabeld": RandCropByPosNegLabeld(
            KEYS, "label", slice_size, pos=ours.foreground_fraction, neg=1 - ours.foreground_fraction
        ),
    }
    fixed = [*ours.transform.transforms, NormalizedDistanced(), SpatialPadd(KEYS, slice_size)]
    cached = [Compose(fixed)(dict(item)) for item in ours.data]  # once for all of them
    rivals = {}
    for name, crop in crops.items():
        # Without the affine, of which SqueezeDimd would complain where slices lie along the first axis (KiTS).
        to_slice = [EnsureTyped(KEYS, track_meta=False), SqueezeDimd(KEYS, dim=slice_axis + 1), StackTargetd()]
        last = [*to_slice, *ours.augmentation.transforms]
        rivals[name] = CacheDataset(ours.data, Compose([*fixed, crop, *last]), runtime_cache=cached)
    return rivals


def sample_times(datasets: list[Dataset], repeats: int) -> list[list[float]]:
    """Return the times of each dataset in ms, made in turns in one loader process, after five unmeasured."""
    loader = DataLoader(InTurns(datasets, repeats + 5), batch_size=None, num_workers=1)
    return [list(times) for times in zip(*list(loader)[5:], strict=True)]


def one_subject(name: str, folder: Path, quick: bool) -> Path:
    """Return the folder of a phantom of one subject, written if it is not there."""
    data = folder / name
    if not data.is_dir():
        with contextlib.redirect_stdout(None):
            phantom(name, str(data), subjects=1, size=64 if quick else SIZES[name])
    return data


def dataset_rows(name: str, folder: Path, quick: bool) -> Iterator[list[str]]:
    """Yield the table lines of one dataset."""
    data = one_subject(name, folder, quick)
    with tempfile.TemporaryDirectory(dir=folder) as store:
        start = time.perf_counter()
        ours = bundle_dataset(name, data, Path(store))
        seconds = (time.perf_counter() - start) / len(ours)
        shape = "x".join(map(str, ours.cases[0].image.shape))
        for crop, rival in rival_datasets(ours, slice_axis=0 if name == "kits" else 2).items():
            what = f"{name}: one sample of {shape}"
            row = Row(what, f"CacheDataset, {crop}", print, print, TARGETS[name], faster=True)
            start, busy = time.perf_counter(), others_seconds()
            line = report(row, *sample_times([ours, rival], 10 if quick else 150))
            yield [*line, f"{(others_seconds() - busy) / (time.perf_counter() - start):.1f}"]
        stored = bytes_of(Path(store)) / len(ours) / 1e6
    yield [f"{name}: store, per case of {shape}", "", f"{stored:.1f} MB", f"{seconds:.1f} s to make", "", "", "", ""]


def others_seconds() -> float:
    """Return the CPU seconds used so far by processes that are neither this one nor its loaders, which have ended."""
    times = os.times()
    return busy_seconds() - times.children_user - times.children_system


def bytes_of(store: Path) -> int:
    """Return the size of the arrays in a store."""
    return sum(path.stat().st_size for path in store.rglob("*.npy"))


def memory_rows(folder: Path, quick: bool, limit_gib: float) -> Iterator[list[str]]:
    """Yield the table lines of a short run at full resolution: preprocessing, then training and validation."""
    size, slices = (128, 40) if quick else (512, 600)
    data = folder / "full" / "kits"
    if not data.is_dir():
        write_kits(data, cases=2, size=size, slices=slices)
    what = f"kits at full resolution, {slices}x{size}x{size}"
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        run, store = Path(temporary) / "run", Path(temporary) / "store"
        settings = {
            "dataset_dir": data, "output_dir": run, "cache_dir": store, "filters": SMALL, "patch_size": [size, size],
            "batch_size": 2, "epochs": 1, "iterations_per_epoch": 20, "split": "kfold", "folds": 2, "num_workers": 1,
            "train#preprocessing#transforms#1#spatial_size": [-1, size, size],
        }  # fmt: skip
        pairs = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        config = BUNDLES / "kits_rrw" / "configs" / "train.json"
        train = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config), *pairs]
        for step, command in (
            ("preprocess", [*train, "--run", "$[len(@train#dataset), len(@validate#dataset)]"]),
            ("train and validate", train),
        ):
            try:
                seconds, gib = measured(command, limit_gib)
            except MemoryError:
                yield [f"{what}: {step}", "", f"> {limit_gib:g} GiB", "", "", f"<= {MEMORY_GIB:g} GiB", "no", ""]
                continue
            met = "yes" if gib <= MEMORY_GIB else "no"
            line = [f"{gib:.2f} GiB", f"{seconds:.0f} s in all", "", f"<= {MEMORY_GIB:g} GiB", met, ""]
            yield [f"{what}: {step}", "", *line]
        yield [f"{what}: store, per case", "", f"{bytes_of(store) / 2 / GIB:.2f} GiB", *[""] * 5]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small images, few repeats: does it run, not a figure")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--only", default="", help="acdc, kits, brats or memory: only those lines")
    parser.add_argument("--limit_gib", type=float, default=MEMORY_GIB, help="stop a run that needs more")
    parser.add_argument("--folder", help="where images and stores go (by default a temporary folder)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    separator = " | " if options.markdown else "  "
    print(machine() + "\n")
    head = ["work", "against", "ours, ms (min-max)", "theirs, ms (min-max)", "ratio", "target", "met", "others"]
    print_line(head, separator, options.markdown)
    if options.markdown:
        print_line(["---"] * len(head), separator, True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        for name in SIZES:
            if options.only in name:
                for line in dataset_rows(name, folder, options.quick):
                    print_line(line, separator, options.markdown)
        if options.only in "memory":
            for line in memory_rows(folder, options.quick, options.limit_gib):
                print_line(line, separator, options.markdown)


if __name__ == "__main__":
    main()
