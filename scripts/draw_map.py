"""Draw the README's picture: a label map and the rectified region-wise map of each class."""

import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from regionwise.datasets import LABELS, read_cases
from regionwise.maps import region_wise_map
from regionwise.nifti import read_labels
from regionwise.phantoms.write import phantom

COLOURS = ["#f2f2f2", "#4477aa", "#ee6677", "#ccbb44"]


def draw(path: Path) -> None:
    """Write the picture of one slice of a synthetic heart.

    Args:
        path: PNG to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        phantom("acdc", str(Path(folder) / "data"), subjects=1, preset="small")
        labels = read_labels(read_cases("acdc", Path(folder) / "data")[0]["label"])
    rw_map = region_wise_map(labels.array, 4, spacing=labels.spacing_mm)
    middle = int(np.argmax(np.count_nonzero(labels.array == 1, axis=(0, 1))))
    figure, axes = plt.subplots(1, 5, figsize=(12, 2.7), layout="constrained")
    axes[0].imshow(labels.array[:, :, middle].T, cmap=ListedColormap(COLOURS), vmin=0, vmax=3, interpolation="nearest")
    axes[0].set_title("labels")
    for index, axis in enumerate(axes[1:]):
        shown = axis.imshow(rw_map[index, :, :, middle].T, cmap="coolwarm", vmin=-1, vmax=1, interpolation="nearest")
        axis.set_title(f"$z$ of {LABELS['acdc'][index]}")
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(shown, ax=axes[1:], shrink=0.85, label="weight of $p$")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else "shared/rrw_map.png"))
