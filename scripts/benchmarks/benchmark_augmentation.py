#!/usr/bin/env python
"""CPU time of nnU-Net's augmentation: per sample in the workers, or of a whole batch at once.

python scripts/benchmarks/benchmark_augmentation.py [--device D] [--quick] [--markdown] [--folder DIR]

Samples are those of the three bundles' phantoms at the size of their plans. Both ways take turns on one thread; times
are CPU times of the process, or with --device cuda the time until the GPU is idle for the batch.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from _timing import Row, interleaved, machine, print_line, report
from benchmark_data import SIZES, bundle_dataset, one_subject
from monai.data import set_track_meta
from regionwise.data import PatchDataset
from regionwise.training import augment_batch_, make_augmentation
from regionwise.training.augmentation_draws import DRAWS
from torch.utils.data import default_collate

MOST_MS = {"acdc": 3.0, "kits": 4.0, "brats": 4.0}
BATCH, SHAPE = 58, (256, 224)
LEAST_GAIN = {"cpu": 2.0, "cuda": 50.0}


def per_sample(images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """Return a function that augments a batch sample by sample, as workers do."""
    augmentation = make_augmentation("workers", images.ndim - 2).set_random_state(seed=0)

    def run() -> None:
        default_collate(
            [augmentation({"image": image, "label": label}) for image, label in zip(images, labels, strict=True)]
        )

    return run


def whole_batch(images: torch.Tensor, labels: torch.Tensor, device: str) -> Callable[[], None]:
    """Return a function that draws the parameters of a batch and augments it on a device."""
    augmentation = make_augmentation("device", images.ndim - 2).set_random_state(seed=0)
    images, labels = images.to(device, copy=True), labels.to(device, copy=True)

    def run() -> None:
        draws = default_collate([augmentation({})[DRAWS] for _ in range(len(images))])
        augment_batch_(images, labels, draws)
        if device != "cpu":
            torch.cuda.synchronize()

    return run


def batch_rows(device: str, quick: bool) -> Iterator[list[str]]:
    """Yield the table line of the batch of the ACDC plan."""
    count, shape = (6, (32, 32)) if quick else (BATCH, SHAPE)
    images = torch.randn(count, 1, *shape, generator=torch.Generator().manual_seed(0))
    labels = torch.rand(count, 2, *shape, generator=torch.Generator().manual_seed(1))
    ways = whole_batch(images, labels, device), per_sample(images, labels)
    what = f"batch of {count} x {' x '.join(map(str, shape))} on {device}"
    row = Row(what, "per sample", *ways, LEAST_GAIN[torch.device(device).type], faster=True)
    yield report(
        row, *interleaved(*ways, 3 if quick else 11, time.process_time if device == "cpu" else time.perf_counter)
    )


def sample_rows(name: str, folder: Path, quick: bool) -> Iterator[list[str]]:
    """Yield the table line of one bundle: a sample read, augmented and collated by a worker, and only read."""
    data = one_subject(name, folder, quick)
    with tempfile.TemporaryDirectory(dir=folder) as store:
        set_track_meta(True)  # preprocessing reads the affines
        dataset = bundle_dataset(name, data, Path(store))
        set_track_meta(False)
        count = 6 if quick else 24

        def batch(place: str) -> Callable[[], None]:
            augmentation = make_augmentation(place, len(dataset.patch_size))
            return lambda: read(dataset, augmentation, count)

        ours, theirs = interleaved(batch("device"), batch("workers"), 3 if quick else 9, time.process_time)
    ours, theirs = ([value / count for value in values] for values in (ours, theirs))
    line = report(Row(f"{name}: a sample in a worker, ms", "augmented in it", print, print, 1.0), ours, theirs)
    middle = sorted(ours)[len(ours) // 2]
    yield [*line[:5], f"<= {MOST_MS[name]:g} ms", "yes" if middle <= MOST_MS[name] else "no"]


def read(dataset: PatchDataset, augmentation: Callable, count: int) -> None:
    """Make samples and collate them."""
    dataset.augmentation = augmentation
    default_collate([dataset[index] for index in range(count)])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="where the batch is augmented")
    parser.add_argument("--quick", action="store_true", help="small images, few repeats: does it run, not a figure")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--folder", help="where phantoms and stores go (by default a temporary folder)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    set_track_meta(False)  # as in a loader's process
    separator = " | " if options.markdown else "  "
    print(machine() + "\n")
    head = ["work", "against", "ours (min-max)", "theirs (min-max)", "ratio", "target", "met"]
    print_line([*head, ""], separator, options.markdown)
    if options.markdown:
        print_line(["---"] * 8, separator, True)
    for line in batch_rows(options.device, options.quick):
        print_line([*line, ""], separator, options.markdown)
    with tempfile.TemporaryDirectory() as temporary:
        for name in SIZES:
            for line in sample_rows(name, Path(options.folder or temporary), options.quick):
                print_line([*line, ""], separator, options.markdown)


if __name__ == "__main__":
    main()
