"""Draw the README's picture: python scripts/draw_map.py DATASET_DIR [PNG], with MSD Task04 in DATASET_DIR.

One slice of a scan with its labels, the rectified region-wise map of each class, and the prediction of the hippocampus
bundle's weights. The case is one that the weights were not trained on.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from regionwise.datasets import read_cases
from regionwise.maps import region_wise_map
from regionwise.nifti import read_image, read_labels

CASE = "hippocampus_158"
NAMES = ("background", "anterior", "posterior")
COLORS = ("#ee6677", "#ccbb44")
ROOT = Path(__file__).resolve().parents[1]
CONFIG = "bundles/hippocampus_rrw/configs/inference.json"


def predict(scan: str) -> np.ndarray:
    """Segment a scan with the bundle's inference configuration and weights.

    Args:
        scan: NIfTI file.

    Returns:
        Labels, uint8, of the scan's shape.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", CONFIG]
        given = ["--input", str(Path(scan).resolve()), "--output_dir", folder]
        subprocess.run([*command, *given], check=True, cwd=ROOT)
        return read_labels(Path(folder) / Path(scan).name).array


def draw(dataset_dir: str, path: Path) -> None:
    """Write the picture.

    Args:
        dataset_dir: MSD Task04, with ``dataset.json``.
        path: PNG to write.
    """
    case = next(case for case in read_cases("msd", dataset_dir) if case["case_id"] == CASE)
    scan, labels = read_image(case["image"]).array, read_labels(case["label"])
    z = region_wise_map(labels.array, len(NAMES), spacing=labels.spacing_mm)
    predicted = predict(case["image"])
    middle = int(np.argmax(np.count_nonzero(labels.array, axis=(1, 2))))

    figure, axes = plt.subplots(1, 5, figsize=(12, 2.5), layout="constrained")
    for axis, title, array in ((axes[0], "reference", labels.array), (axes[4], "prediction", predicted)):
        axis.imshow(scan[middle].T, cmap="gray", origin="lower", interpolation="nearest")
        for label, color in enumerate(COLORS, start=1):
            axis.contour((array[middle] == label).T, levels=[0.5], colors=color, linewidths=1.5)
        axis.set_title(title)
    for index, axis in enumerate(axes[1:4]):
        shown = axis.imshow(
            z[index, middle].T, cmap="coolwarm", vmin=-1, vmax=1, origin="lower", interpolation="nearest"
        )
        axis.set_title(f"$z$ of {NAMES[index]}")
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.colorbar(shown, ax=axes[1:4], shrink=0.85, label="weight of $p$")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    draw(sys.argv[1], Path(sys.argv[2] if len(sys.argv) == 3 else "shared/rrw_map.png"))
