"""Gradients of region-wise maps: over the softmax triangle, and at every voxel of a slice of real labels."""

import matplotlib.axes
import numpy as np
from matplotlib.figure import Figure
from regionwise.diagnostics import draw_triangle, negative_components
from regionwise.evaluation.report.plots import COLORS
from regionwise.maps import region_wise_map
from svg import as_svg

KINDS = {"boundary": "Boundary", "rrw": "RRW"}


def gradient_triangles() -> str:
    """Gradient field of one voxel over the softmax triangle: a rectified map and one that is not (Figs. 2 and 4)."""
    # A voxel of class 0 that is near class 1 and far from class 2.
    maps = {"RRW: z = (-0.5, 1, 1)": np.array([-0.5, 1, 1]), "Boundary: z = (-2, 2, 9) mm": np.array([-2.0, 2, 9])}

    def draw(figure: Figure) -> None:
        for axes, (title, values) in zip(figure.subplots(1, 2), maps.items(), strict=True):
            draw_triangle(axes, values, ["true class", "near", "far"])
            count = int(negative_components(values))
            axes.set_title(f"{title}\n{count} negative component{'s' if count > 1 else ''} at p = 1/3")

    return as_svg(draw, (7, 3.4), "Gradient fields")


def count_negative(labels: np.ndarray, num_classes: int, spacing_mm: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Number of negative gradient components per voxel of a slice before training, for each map of `KINDS`.

    Before training, all classes are equally probable.

    Args:
        labels: Integers (rows, columns).
        num_classes: Number of classes.
        spacing_mm: Of rows and columns; the distances are in the plane, as in the published code.
    """
    return {kind: negative_components(region_wise_map(labels, num_classes, kind, spacing_mm)) for kind in KINDS}


def label_gradients(labels: np.ndarray, num_classes: int, spacing_mm: tuple[float, ...], name: str) -> str:
    """Draw the negative gradient components on a slice of labels (Fig. 3), and the field at one of its voxels (Fig. 4).

    The voxel is the first of the foreground with most negative components under the Boundary loss's map.

    Args:
        labels: As for `count_negative`, with three classes or more.
        num_classes: Number of classes.
        spacing_mm: Of rows and columns.
        name: Name of the case, for the description.

    Returns:
        The figure as SVG.
    """
    counts = count_negative(labels, num_classes, spacing_mm)
    voxel = np.unravel_index(np.where(labels > 0, counts["boundary"], -1).argmax(), labels.shape)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(2, 3)
        panels[0, 0].imshow(labels.T, cmap="tab10", vmin=0, vmax=9, origin="lower", interpolation="nearest")
        panels[0, 0].plot(*voxel, marker="+", color="white", markersize=9)
        panels[0, 0].set_title("labels; +: voxel below")
        _draw_shares(panels[1, 0], counts, num_classes)
        for (kind, title), above, below in zip(KINDS.items(), panels[0, 1:], panels[1, 1:], strict=True):
            shown = above.imshow(
                counts[kind].T, cmap="viridis", vmin=0, vmax=num_classes - 1, origin="lower", interpolation="nearest"
            )
            above.set_title(title)
            _draw_field(below, labels, region_wise_map(labels, num_classes, kind, spacing_mm), voxel)
        figure.colorbar(shown, ax=list(panels[0]), ticks=range(num_classes), shrink=0.8, label="negative components")
        for axes in panels[0]:
            axes.set(xticks=[], yticks=[])

    return as_svg(draw, (9.6, 5.6), f"Gradients on the labels of {name}")


def _draw_shares(axes: matplotlib.axes.Axes, counts: dict[str, np.ndarray], num_classes: int) -> None:
    for number, (kind, title) in enumerate(KINDS.items()):
        shares = np.bincount(counts[kind].ravel(), minlength=num_classes) / counts[kind].size
        axes.bar(np.arange(num_classes) + 0.4 * number - 0.2, shares, 0.4, color=COLORS[number], label=title)
    axes.set(xlabel="negative components", ylabel="share of the voxels", xticks=range(num_classes), ylim=(0, 1.05))
    axes.legend(frameon=False, fontsize=8)


def _draw_field(axes: matplotlib.axes.Axes, labels: np.ndarray, rw_map: np.ndarray, voxel: tuple) -> None:
    """Draw the triangle of the true class, the class with the lowest value beside it and that with the highest."""
    values, true = rw_map[(slice(None), *voxel)], int(labels[voxel])
    others = sorted((label for label in range(len(values)) if label != true), key=lambda label: values[label])
    classes = [true, others[0], others[-1]]
    draw_triangle(axes, values[classes], [f"class {label}: {values[label]:.2g}" for label in classes])
