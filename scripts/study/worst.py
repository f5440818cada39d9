"""The worst cases of a dataset, with the predictions of every method side by side."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from regionwise.datasets import read_cases
from regionwise.evaluation.report.plots import COLORS, STYLE
from regionwise.nifti import read_header, read_labels


def worst_case_names(rows: Sequence[Mapping[str, str]], count: int) -> list[str]:
    """Names of the cases with the lowest Dice, mean over methods, seeds and structures; the worst first."""
    values: dict[str, list[float]] = {}
    for row in rows:
        values.setdefault(row["case"], []).append(float(row["dice"]))
    return sorted(values, key=lambda case: (float(np.mean(values[case])), case))[:count]


def draw_worst(names: Sequence[str], predictions: Mapping[str, Mapping[str, Path]], reader: str, scans: str) -> bytes:
    """Draw the slice with most labels of each case: the reference, and the prediction of each method, as outlines.

    Args:
        names: Names of the cases.
        predictions: Method to case to file.
        reader: Name of the dataset's reader.
        scans: Folder of the dataset.

    Returns:
        The picture as PNG.
    """
    cases = {case["case_id"]: case for case in read_cases(reader, scans)}
    columns = ["reference", *predictions]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.5 * len(columns), 1.25 * len(names) + 0.2), layout="constrained")
        panels = figure.subplots(len(names), len(columns), squeeze=False)
        for line, name in zip(panels, names, strict=True):
            files = {"reference": Path(cases[name]["label"])}
            files |= {method: own[name] for method, own in predictions.items()}
            labels = {title: np.asarray(read_labels(file).array) for title, file in files.items()}
            image = cases[name]["image"]
            scan = np.asarray(read_header(image if isinstance(image, str) else image[0]).dataobj)
            axis, k = fullest_slice(labels["reference"])
            for axes, title in zip(line, columns, strict=True):
                _draw(axes, np.take(scan, k, axis).T, np.take(labels[title], k, axis).T)
                if axes.get_subplotspec().is_first_row():
                    axes.set_title(title, fontsize=7)
            line[0].set_ylabel(name, fontsize=6)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()


def fullest_slice(labels: np.ndarray) -> tuple[int, int]:
    """Axis with the fewest slices of a 3-D label array, and the slice across it with most labeled voxels."""
    axis = int(np.argmin(labels.shape))
    across = tuple(other for other in range(3) if other != axis)
    return axis, int(np.count_nonzero(labels, axis=across).argmax())


def _draw(axes: matplotlib.axes.Axes, scan: np.ndarray, labels: np.ndarray) -> None:
    axes.imshow(scan, cmap="gray", origin="lower")
    for label in range(1, int(labels.max(initial=0)) + 1):
        if (labels == label).any():
            axes.contour(labels == label, levels=[0.5], colors=[COLORS[label % len(COLORS)]], linewidths=0.9)
    axes.set(xticks=[], yticks=[])
