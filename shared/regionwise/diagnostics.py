"""Diagnostics of a region-wise map's gradient: signs per voxel, and the field over the softmax triangle."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Engine, Events
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from monai.handlers import TensorBoardHandler

from .errors import InputError
from .files import atomic_path, check_outputs
from .maps import rectify, region_wise_map
from .nifti import read_labels

MOST_CLASSES = 64
"""More classes than this are taken for the intensities of an image unless their number is given."""


def logit_gradient(probabilities: np.ndarray, rw_map: np.ndarray) -> np.ndarray:
    """Gradient of a voxel's loss with respect to its logits, up to the factor 1/(N C).

    dL/dy_j = p_j sum_k p_k (z_j - z_k) (Eq. 2 of Valverde & Tohka 2022)

    Args:
        probabilities: (C, *any), each voxel's values summing to 1.
        rw_map: (C, *any), broadcastable to it.

    Returns:
        float64 (C, *any). Gradient descent raises the logits where it is negative.
    """
    p, z = np.asarray(probabilities, np.float64), np.asarray(rw_map, np.float64)
    return p * (z - (p * z).sum(0, keepdims=True))


def negative_components(
    rw_map: np.ndarray, probabilities: np.ndarray | None = None, tolerance: float = 1e-9
) -> np.ndarray:
    """Number of negative components of each voxel's gradient (Fig. 3 of Valverde & Tohka 2022).

    A rectified map has exactly one, that of the voxel's true class, whatever the probabilities are.

    Args:
        rw_map: (C, *spatial).
        probabilities: (C, *spatial); None means 1/C each, as before training.
        tolerance: how far below 0 a component has to be, relative to the map's largest magnitude; rounding does not
            count.

    Returns:
        int64 (*spatial), from 0 to C - 1.
    """
    p = np.full((len(rw_map), *[1] * (rw_map.ndim - 1)), 1 / len(rw_map)) if probabilities is None else probabilities
    return (logit_gradient(p, rw_map) < -tolerance * np.abs(rw_map).max(initial=0)).sum(0)


def triangle_gradients(map_values: np.ndarray, steps: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Gradient field over the softmax triangle of three classes (Figs. 2 and 4 of Valverde & Tohka 2022).

    Args:
        map_values: (3,), the map's values at one voxel.
        steps: the number of grid intervals along a side of the triangle.

    Returns:
        probabilities: float64 (3, K), the grid's inner points.
        gradients: float64 (3, K), dL/dy at each.

    Raises:
        InputError: If there are not three values, or fewer than three steps, which leave no inner point.
    """
    values = np.asarray(map_values, np.float64)
    if values.shape != (3,):
        raise InputError(f"expected the map values of three classes, got shape {values.shape}")
    if steps < 3:
        raise InputError(f"expected at least 3 steps along a side of the triangle, got {steps}")
    first, second = np.meshgrid(np.arange(1, steps), np.arange(1, steps), indexing="ij")
    inner = first + second < steps
    points = np.stack([first[inner], second[inner], steps - first[inner] - second[inner]]) / steps
    return points, logit_gradient(points, values[:, None])


def draw_triangle(axes: Axes, map_values: np.ndarray, names: Sequence[str]) -> None:
    """Draw the direction of gradient descent in logit space over the softmax triangle.

    Args:
        axes: Matplotlib axes to draw on.
        map_values: (3,), the map's values at one voxel.
        names: labels of the three corners.
    """
    corners = np.array([[0.0, 1.0, 0.5], [0.0, 0.0, np.sqrt(0.75)]])
    points, gradients = triangle_gradients(map_values)
    x, y = corners @ points
    # A logit direction has no sum constraint: what all components share moves nothing, so the mean goes out.
    u, v = corners @ -(gradients - gradients.mean(0))
    axes.plot(*corners[:, [0, 1, 2, 0]], color="black", linewidth=1)
    axes.quiver(x, y, u, v, (gradients < 0).sum(0), cmap="viridis", clim=(0, 2), angles="xy", width=0.004)
    for corner, name, below in zip(corners.T, names, (True, True, False), strict=True):
        axes.annotate(name, corner, ha="center", va="top" if below else "bottom")
    axes.set_aspect("equal")
    axes.set_axis_off()


def gradient_figure(labels: np.ndarray, rw_map: np.ndarray, title: str) -> Figure:
    """Draw the number of negative gradient components per voxel, and the gradient field at the voxel with most of them.

    Args:
        labels: integers (rows, columns).
        rw_map: (C, rows, columns).
        title: title of the figure.

    Returns:
        The figure: labels, signs and, from three classes on, the triangle of the true class and two others.
    """
    negative = negative_components(rw_map)
    num_panels = 3 if len(rw_map) >= 3 else 2
    figure = Figure(figsize=(4.5 * num_panels, 4.2), layout="constrained")
    panels = figure.subplots(1, num_panels)
    figure.suptitle(title)
    panels[0].imshow(labels, cmap="tab10", vmin=0, vmax=9, interpolation="nearest")
    panels[0].set_title("labels")
    image = panels[1].imshow(negative, cmap="viridis", vmin=0, vmax=len(rw_map) - 1, interpolation="nearest")
    panels[1].set_title("negative gradient components\n(all classes equally probable)")
    figure.colorbar(image, ax=panels[1], ticks=range(len(rw_map)))
    for panel in panels[:2]:
        panel.set_axis_off()
    if num_panels == 3:
        voxel: tuple = np.unravel_index(negative.argmax(), negative.shape)
        values, true = rw_map[(slice(None), *voxel)], int(labels[voxel])
        others = sorted((c for c in range(len(values)) if c != true), key=lambda c: values[c])
        classes = [true, others[0], others[-1]]
        names = [f"class {c}: {values[c]:.3g}" for c in classes]
        draw_triangle(panels[2], values[classes], names)
        panels[2].set_title(f"gradient descent at voxel {tuple(int(i) for i in voxel)}, label {true}")
    return figure


def gradients(
    labels: str,
    kind: str = "boundary",
    output: str = "gradients.png",
    num_classes: int | None = None,
    rectified: bool = False,
    overwrite: bool = False,
) -> None:
    """Draw the effect of a region-wise map on the gradient, on the most informative slice of a label file.

    Args:
        labels: a NIfTI label file, 2-D or 3-D; the map is made in mm, of the whole volume.
        kind: the map, see `regionwise.maps.region_wise_map`.
        output: the picture to write (.png, .pdf or .svg).
        num_classes: the number of classes; by default the largest label + 1, up to 64.
        rectified: draw the rectified form of the map.
        overwrite: replace a picture that is there already.

    Raises:
        InputError: If a file cannot be read, seems to be an image, or an argument is invalid.
    """
    volume = read_labels(labels)
    if Path(output).suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"expected --output to end in .png, .pdf or .svg, got {output}")
    check_outputs([Path(output)], [Path(labels)], overwrite, "--output")
    array = volume.array.reshape(volume.array.shape[:3]) if volume.array.shape[3:] == (1,) else volume.array
    if num_classes is None:
        num_classes = int(array.max(initial=0)) + 1
        if num_classes > MOST_CLASSES:
            raise InputError(
                f"expected labels 0 to {MOST_CLASSES - 1} in {labels}, found {num_classes - 1}; is it an image? "
                f"For as many classes pass --num_classes {num_classes}"
            )
    rw_map = region_wise_map(array, num_classes, kind, volume.spacing_mm[: array.ndim])
    rw_map = rectify(rw_map, array) if rectified else rw_map
    section, where = _section(array)
    title = f"{'rectified ' if rectified else ''}{kind}, {volume.path.name}{where}"
    shown = rw_map[(slice(None), *section)]
    figure = gradient_figure(array[section], shown, title)
    with atomic_path(output) as temporary:
        figure.savefig(temporary, dpi=120)
    share = (negative_components(shown) > 1).mean()
    print(f"{output}: {share:.1%} of the voxels{where} have more than one negative gradient component")


def _section(array: np.ndarray) -> tuple[tuple, str]:
    """Return the index of the slice with most labels, then most foreground, across the axis with fewest slices."""
    if array.ndim == 2:
        return (slice(None), slice(None)), ""
    axis = int(np.argmin(array.shape))
    slices = np.moveaxis(array, axis, 0)
    best = max(range(len(slices)), key=lambda i: (len(np.unique(slices[i])), np.count_nonzero(slices[i])))
    index: list = [slice(None)] * 3
    index[axis] = best
    return tuple(index), f", slice {best} of axis {axis}"


class GradientSigns(TensorBoardHandler):
    """Ignite handler that writes the number of negative gradient components per voxel to TensorBoard after each epoch.

    It uses the last batch: ``gradient_signs/mean`` is the mean number per voxel, and ``gradient_signs/single`` the
    share of voxels with exactly one, which a rectified map makes 1. Costs one more loss with its gradient per epoch.

    Args:
        loss: called with logits and target.
        summary_writer: TensorBoard writer; None makes one in log_dir.
        log_dir: as in MONAI's TensorBoard handlers.
        interval: the number of epochs from one value to the next.
    """

    def __init__(
        self,
        loss: torch.nn.Module,
        summary_writer: object | None = None,
        log_dir: str | os.PathLike = "./runs",
        interval: int = 1,
    ) -> None:
        super().__init__(summary_writer, str(log_dir))
        self.loss, self.interval = loss, interval

    def attach(self, engine: Engine) -> None:
        """Register with a trainer whose output holds "pred" and "label"."""
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self)

    def __call__(self, engine: Engine) -> None:
        """Write the values of the last batch."""
        output = engine.state.output
        batch = output if isinstance(output, list) else [output]
        join = torch.stack if isinstance(output, list) else torch.cat  # MONAI's trainers hand out single images
        logits, target = (join([item[key].detach() for item in batch]) for key in ("pred", "label"))
        logits = logits.float().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self.loss(logits, target), logits)
        gradient = gradient[:, 0] if logits.ndim > target.ndim else gradient  # deep supervision: full resolution
        negative = (gradient < 0).sum(1)
        self._writer.add_scalar("gradient_signs/mean", negative.float().mean().item(), engine.state.epoch)
        self._writer.add_scalar("gradient_signs/single", (negative == 1).float().mean().item(), engine.state.epoch)
