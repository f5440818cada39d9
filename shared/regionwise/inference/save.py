"""Save predicted labels and probabilities with the geometry and header codes of their scan."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..nifti import read_header, write_volume
from ..options import as_flag, as_path

# Folders in the output of an evaluation.
PREDICTIONS = "predictions"
PROBABILITIES = "probabilities"


def save_labels(path: str | Path, labels: np.ndarray, scan: str | Path) -> None:
    """Write labels as uint8 NIfTI with the affine, sform/qform codes and units of a scan.

    Args:
        path: file to write, atomically.
        labels: integers from 0 to 255, of the scan's shape.
        scan: the scan that was segmented.

    Raises:
        ValueError: If the shapes differ.
    """
    source = read_header(scan)
    if labels.shape != source.shape:
        raise ValueError(f"expected labels of shape {source.shape} for {scan}, got {labels.shape}")
    write_volume(path, labels.astype(np.uint8), like=source)


class SaveLabelsd(MapTransform):
    """Write a predicted label map (1, *spatial) of each case to ``<folder>/predictions/<case_id>.nii.gz``.

    Args:
        keys: the prediction.
        folder: output folder of the evaluation.
    """

    def __init__(self, keys: KeysCollection, folder: str | Path) -> None:
        super().__init__(keys)
        self.folder = as_path(folder, "output_dir") / PREDICTIONS

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write and return the case unchanged."""
        for key in self.keys:
            labels = np.asarray(data[key][0].cpu())
            save_labels(self.folder / f"{data['case_id']}.nii.gz", labels, data["scan"])
        return dict(data)


class SaveProbabilitiesd(MapTransform):
    """Write class probabilities (C, *spatial) to ``<folder>/probabilities/<case_id>.nii.gz``: float32 (*spatial, C).

    Args:
        folder: output folder of the evaluation.
        enabled: whether to write them.
        keys: the prediction, before it becomes labels.
    """

    def __init__(self, folder: str | Path, enabled: bool | str = True, keys: KeysCollection = "pred") -> None:
        super().__init__(keys)
        self.folder = as_path(folder, "output_dir") / PROBABILITIES
        self.enabled = as_flag(enabled, "save_probabilities")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write and return the case unchanged."""
        for key in self.keys if self.enabled else ():
            probabilities = np.moveaxis(np.asarray(data[key].cpu(), dtype=np.float32), 0, -1)
            affine = read_header(data["scan"]).affine
            write_volume(self.folder / f"{data['case_id']}.nii.gz", probabilities, affine)
        return dict(data)
