"""Judge the predictions of a bundle's evaluation with `regionwise.evaluation`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation import Case, Settings
from ..evaluation.evaluate import evaluate_cases
from ..evaluation.structures import dataset_classes, named_classes, named_regions


def evaluate_datalist(
    data: Sequence[Mapping[str, Any]],
    dataset: str,
    predictions: str,
    out: str,
    regions: str | None = None,
    protocol: str = "full",
) -> None:
    """Measure the predictions of the cases of a datalist and write cases.csv, summary.json and report.html.

    Args:
        data: datalist of `regionwise.data`.
        dataset: its name, for class names and label values.
        predictions: folder with ``<case_id>.nii.gz``.
        out: folder to write to.
        regions: name of a set of regions to measure beside the classes, such as ``brats``.
        protocol: ``full``, or ``paper`` (only slices that hold a label).
    """
    cases = [
        Case(
            name=item["case_id"],
            prediction=Path(predictions) / f"{item['case_id']}.nii.gz",
            reference=Path(item["label"]),
            group=item["group"],
            image=Path(item["image"][0] if isinstance(item["image"], list) else item["image"]),
        )
        for item in data
    ]
    names, label_map = dataset_classes(dataset)
    settings = Settings(
        classes=named_classes(names),
        regions=named_regions(regions),
        label_map=label_map,
        protocol=protocol,
    )
    evaluate_cases(cases, out, settings)
