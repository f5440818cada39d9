"""What the page shows of the scans: the worst cases, and gradients on the labels of one case."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gradients import count_negative, label_gradients
from regionwise.datasets import LABELS, read_cases, to_classes
from regionwise.files import read_json
from regionwise.nifti import read_labels
from render import Heading, Part, Picture
from worst import draw_worst, fullest_slice, worst_case_names

WORST = 3
TITLES = {"acdc": "ACDC", "brats": "BraTS", "kits": "KiTS", "hippocampus": "Hippocampus (MSD Task04)"}
CREDITS = {"hippocampus": " Scans: Medical Segmentation Decathlon, Task04, CC BY-SA 4.0."}


def worst_cases(
    out: Path, study: Mapping[str, Any], dataset: str, rows: Sequence[Mapping[str, str]], methods: Sequence[str]
) -> list[Part]:
    """Reference and predictions of the cases with the lowest Dice, every loss side by side."""
    names = worst_case_names(rows, WORST)
    predictions: dict[str, dict[str, Path]] = {}
    for folder, cell in study["cells"].items():
        if cell["dataset"] == dataset and cell["method"] in methods:
            files = {name: out / "cells" / folder / "evaluation" / "predictions" / f"{name}.nii.gz" for name in names}
            found = {name: file for name, file in files.items() if file.is_file()}
            # The first seed that has them.
            predictions.setdefault(cell["method"], {}).update(
                {name: file for name, file in found.items() if name not in predictions.get(cell["method"], {})}
            )
    complete = {method: files for method, files in predictions.items() if set(files) == set(names)}
    scans, _ = _held_out(out, study, dataset)
    picture = draw_worst(names, complete, study["readers"][dataset], scans)
    caption = "The cases with the lowest mean Dice over all losses: reference, and the first seed of each loss."
    return [Heading("Worst cases", 3), Picture(f"{dataset}_worst.png", picture, caption + _credit(study, dataset))]


def gradients_of_labels(out: Path, study: Mapping[str, Any], dataset: str) -> Picture:
    """Draw the gradients on the first held-out case."""
    scans, name = _held_out(out, study, dataset)
    reader = study["readers"][dataset]
    case = next(one for one in read_cases(reader, scans) if one["case_id"] == name)
    volume = read_labels(case["label"])
    axis, k = fullest_slice(volume.array)
    labels = to_classes(reader, volume.array.take(k, axis))
    spacing_mm = tuple(volume.spacing_mm[other] for other in range(3) if other != axis)
    num_classes = len(LABELS[reader])
    counts = count_negative(labels, num_classes, spacing_mm)
    shares = [f"{(counts[kind] > 1).mean():.0%}" for kind in ("boundary", "rrw")]
    caption = (
        f"{TITLES.get(dataset, dataset)}, a slice of {name}: voxels with more than one negative gradient component "
        f"before training (all classes equally probable): {shares[0]} with the map of the Boundary loss, {shares[1]} "
        "with RRW's. Below: the descent at the marked voxel, between its class, the nearest other and the farthest."
    )
    picture = label_gradients(labels, num_classes, spacing_mm, name)
    return Picture(f"{dataset}_gradients.svg", picture, caption + _credit(study, dataset))


def _held_out(out: Path, study: Mapping[str, Any], dataset: str) -> tuple[str, str]:
    """Return the folder of a dataset's held-out cases and the name of the first of them."""
    prepared = read_json(min((out / "data" / dataset).glob("fold*/prepared.json")))
    test = study["tests"].get(dataset)
    # The workflow says where the scans are now.
    folder = Path(os.environ.get(f"SCANS_{dataset}") or prepared["scans"]) / (test or "")
    return str(folder), min(prepared["cases"]["test" if test else "val"])


def _credit(study: Mapping[str, Any], dataset: str) -> str:
    return CREDITS.get(dataset, "") if study["data"] != "phantom" else ""
