"""Draw the pictures of the pages on soft labels, raters, calibration, uncertainty and margins.

python scripts/draw_trust.py [FOLDER]

All of them show phantoms of the hippocampus. Raters and networks are simulated: the masks of a phantom, smoothed,
compete after smooth noise was added to them. Needs SimpleITK, for STAPLE.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from regionwise.calibration import fit_isotonic, fit_scaling
from regionwise.fusion.methods import mean_signed_distance
from regionwise.fusion.staple import staple
from regionwise.fusion.voting import average_raters, majority_vote
from regionwise.metrics import average_calibration_error, reliability_bins
from regionwise.nifti import read_image, read_labels
from regionwise.phantoms.write import phantom
from regionwise.prediction.output import margin_labels
from regionwise.soft_labels import smooth_by_distance, smooth_by_neighbors
from regionwise.uncertainty import conformal_margin_mm, mutual_information, predictive_entropy
from regionwise.uncertainty.margins import depths_of_invented_mm, distances_of_missed_mm
from scipy import ndimage

COLORS = ("#ee6677", "#ccbb44")
RATER_COLORS = ("#4477aa", "#228833", "#aa3377")
CLASSES = 3
SUBJECTS = 40
MARGIN = 6
Case = tuple[np.ndarray, np.ndarray]
"""Scan and labels of a phantom, in voxels of 1 mm."""


def phantoms(number: int) -> list[Case]:
    """Make phantoms of the hippocampus, with as much around it as the pictures need."""
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        phantom("msd", folder, subjects=number)
        for path in sorted((Path(folder) / "imagesTr").glob("*.nii.gz")):
            labels = read_labels(Path(folder) / "labelsTr" / path.name).array
            box = tuple(
                slice(max(one.start - MARGIN, 0), one.stop + MARGIN)
                for one in ndimage.find_objects((labels > 0).astype(np.uint8))[0]
            )
            cases.append((read_image(path).array[box], labels[box]))
    return cases


def simulated_logits(
    labels: np.ndarray, random: np.random.Generator, noise: float, smooth: float = 1.5
) -> torch.Tensor:
    """Logits (C, *spatial) of a simulated network, which is right far from the boundary and unsure near it."""
    scores = []
    for label in range(CLASSES):
        drawn = ndimage.gaussian_filter(random.normal(size=labels.shape), 2)
        mask = ndimage.gaussian_filter((labels == label).astype(float), smooth)
        scores.append(8 * mask + noise * drawn / drawn.std())
    return torch.from_numpy(np.stack(scores))


def widest(labels: np.ndarray) -> int:
    """Sagittal slice with the most of the structures."""
    return int(np.argmax(np.count_nonzero(labels, axis=(1, 2))))


def panels(number: int, titles: Sequence[str]) -> tuple[Figure, Sequence[Axes]]:
    """Return a row of panels without ticks."""
    figure, axes = plt.subplots(1, number, figsize=(2.4 * number, 2.3), layout="constrained")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    return figure, axes


def show(axis: Axes, array: np.ndarray, colors: str = "gray", **options: float) -> matplotlib.image.AxesImage:
    """Show a slice."""
    return axis.imshow(array.T, cmap=colors, origin="lower", interpolation="nearest", **options)


def outline(axis: Axes, labels: np.ndarray, colors: Sequence[str] = COLORS) -> None:
    """Draw the outline of each structure of a slice."""
    for label, color in enumerate(colors, start=1):
        if (labels == label).any():
            axis.contour((labels == label).T, levels=[0.5], colors=color, linewidths=1.2)


def soft_labels(cases: Sequence[Case]) -> Figure:
    """Labels of the anterior part, and what smoothing makes of them."""
    image, labels = cases[0]
    at, tensor = widest(labels), torch.from_numpy(labels.astype(np.int64))
    titles = ("labels", "by distance, σ = 0.5 mm", "by distance, σ = 1.5 mm", "by neighbors")
    figure, axes = panels(4, titles)
    soft = [smooth_by_distance(tensor, CLASSES, sigma, (1.0, 1.0, 1.0)) for sigma in (0.5, 1.5)]
    soft.append(smooth_by_neighbors(tensor, CLASSES))
    show(axes[0], image[at])
    outline(axes[0], labels[at])
    for axis, one in zip(axes[1:], soft, strict=True):
        shown = show(axis, one[1, at].numpy(), "viridis", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes[1:], shrink=0.85, label="label, anterior")
    return figure


def raters(cases: Sequence[Case]) -> Figure:
    """Three raters, and what becomes of them."""
    image, labels = cases[1]
    at, random = widest(labels), np.random.default_rng(1)
    drawn = np.stack(
        [simulated_logits(labels, random, noise, 2).argmax(0).numpy().astype(np.uint8) for noise in (0.8, 1.2, 1.6)]
    )
    figure, axes = panels(5, ("three raters", "average", "majority", "STAPLE", "mean signed distance"))
    for axis in (axes[0], *axes[2:]):
        show(axis, image[at])
    for one, color in zip(drawn, RATER_COLORS, strict=True):
        axes[0].contour((one[at] > 0).T, levels=[0.5], colors=color, linewidths=1)
    show(axes[1], average_raters(drawn, CLASSES)[1:, at].sum(0), "viridis", vmin=0, vmax=1)
    for axis, fuse in zip(axes[2:], (majority_vote, staple, mean_signed_distance), strict=True):
        outline(axis, fuse(drawn)[at])
    return figure


def calibration(cases: Sequence[Case]) -> Figure:
    """Reliability of the anterior part: as trained, after a temperature, after isotonic calibration."""
    random, half = np.random.default_rng(2), len(cases) // 2
    torch.manual_seed(2)
    logits, truth = [], []
    for _, labels in cases:
        true = simulated_logits(labels, random, 0.5)
        truth.append(torch.distributions.Categorical(logits=true.movedim(0, -1)).sample())
        top = true.topk(2, dim=0).values
        # Too sure where it is unsure, which no temperature undoes.
        logits.append(true * (1 + 6 / (1 + top[0] - top[1])))
    rows = torch.cat([one.flatten(1).T for one in logits[:half]]), torch.cat([one.flatten() for one in truth[:half]])
    ways = {"as trained": None, "temperature": fit_scaling(*rows), "isotonic": fit_isotonic(*rows)}
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.5), layout="constrained", sharey=True)
    for axis, (name, scaling) in zip(axes, ways.items(), strict=True):
        bins = []
        for one, labels in zip(logits[half:], truth[half:], strict=True):
            p = one.softmax(0)
            p = p if scaling is None else scaling.scale_probabilities(p)
            bins.append(reliability_bins(p[1].numpy(), (labels == 1).numpy()))
        pooled = sum(bins[1:], start=bins[0])
        filled = pooled.count > 0
        mean, share = (
            pooled.probability_sum[filled] / pooled.count[filled],
            pooled.positives[filled] / pooled.count[filled],
        )
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axis.plot(mean, share, "o-", color="#4477aa", markersize=3, linewidth=1.2)
        axis.set_title(f"{name}: ACE {average_calibration_error(pooled):.3f}", fontsize=9)
        axis.set_xlabel("probability", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_aspect("equal")
    axes[0].set_ylabel("share that is right", fontsize=8)
    return figure


def uncertainty(cases: Sequence[Case]) -> Figure:
    """Five members, and where they disagree."""
    image, labels = cases[3]
    at, random = widest(labels), np.random.default_rng(3)
    members = torch.stack([simulated_logits(labels, random, 1.2).softmax(0) for _ in range(5)])
    figure, axes = panels(4, ("five members", "prediction", "predictive entropy", "mutual information"))
    for axis in axes[:2]:
        show(axis, image[at])
    for one in members.argmax(1):
        axes[0].contour((one[at] > 0).T.numpy(), levels=[0.5], colors="#4477aa", linewidths=0.7)
    outline(axes[1], members.mean(0).argmax(0)[at].numpy())
    for axis, measure in zip(axes[2:], (predictive_entropy, mutual_information), strict=True):
        shown = show(axis, measure(members)[at].numpy(), "magma", vmin=0, vmax=1.1)
    figure.colorbar(shown, ax=axes[2:], shrink=0.85, label="nats")
    return figure


def margins(cases: Sequence[Case]) -> Figure:
    """The margins that were found on other phantoms, and one that they are drawn on."""
    random, spacing_mm = np.random.default_rng(4), (1.0, 1.0, 1.0)
    predicted = [simulated_logits(labels, random, random.gamma(3, 0.4), 2).argmax(0).numpy() for _, labels in cases]
    pairs = [(one == 1, labels == 1) for one, (_, labels) in zip(predicted[1:], cases[1:], strict=True)]
    outer = conformal_margin_mm([distances_of_missed_mm(*pair, spacing_mm) for pair in pairs])
    inner = conformal_margin_mm([depths_of_invented_mm(*pair, spacing_mm) for pair in pairs])
    image, labels = cases[0]
    nested = margin_labels(predicted[0] == 1, spacing_mm, outer, inner)
    at = widest(labels)
    figure, axes = panels(3, ("reference", "prediction", f"margins: +{outer:.1f} mm, -{inner:.1f} mm"))
    for axis in axes:
        show(axis, image[at])
    outline(axes[0], (labels == 1)[at])
    outline(axes[1], (predicted[0] == 1)[at])
    for level, color in ((1, "#4477aa"), (2, COLORS[0]), (3, "#228833")):
        axes[2].contour((nested >= level)[at].T, levels=[0.5], colors=color, linewidths=1.2)
    return figure


def main(folder: Path) -> None:
    """Write all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = phantoms(SUBJECTS)
    for draw in (soft_labels, raters, calibration, uncertainty, margins):
        figure = draw(cases)
        figure.savefig(folder / f"{draw.__name__}.png", dpi=80)
        plt.close(figure)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1] if len(sys.argv) == 2 else "shared/pictures"))
