"""Output of a prediction with uncertainty: maps, margins as labels, and a table with one row per case."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, Transform

from ..errors import InputError
from ..evaluation.cases_csv import csv_text
from ..evaluation.output import write_texts
from ..inference.save import save_labels
from ..nifti import read_header, write_volume
from ..uncertainty.margins import depths_mm
from ..uncertainty.ranking import cases_to_review
from .inferer import MAPS
from .measures import Measures

TABLE = "uncertainty.csv"
MAP_FOLDER = "uncertainty"
MARGIN_FOLDER = "margins"
MARGIN_LABELS = {1: "between outer contour and prediction", 2: "prediction outside the inner contour", 3: "inside it"}


class SplitMapsd(MapTransform):
    """Split what `UncertaintyInferer` gives into the prediction and its maps.

    Args:
        keys: The prediction; the maps get the keys of `regionwise.prediction.inferer.MAPS`.
    """

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        """Return the prediction without the maps, and the maps (1, *spatial)."""
        result = dict(data)
        for key in self.keys:
            whole = result[key]
            result[key] = whole[: -len(MAPS)]
            for number, name in enumerate(MAPS, start=len(whole) - len(MAPS)):
                result[name] = whole[number : number + 1]
        return result


class SaveUncertaintyd(Transform):
    """Write a case's maps and margins, and its row into the table, which is whole after every case.

    Args:
        folder: Output folder.
        measures: Those of the case.
        names: Of the structures, of labels 1, 2, ...
        margins_mm: Structure to outer and inner margin, to write; {}: none.
        thresholds: Trust score to the value from which on a case is accepted, found on other cases; without one of
            the score at hand, the least trusted of these cases are sent to a human.
        coverage: Share of cases to accept at least.
    """

    def __init__(
        self,
        folder: str | Path,
        measures: Measures,
        names: Sequence[str],
        margins_mm: Mapping[str, Sequence[float]] | None = None,
        thresholds: Mapping[str, float] | None = None,
        coverage: float = 0.9,
    ) -> None:
        self.folder, self.measures, self.names = Path(folder), measures, tuple(names)
        self.margins_mm, self.thresholds, self.coverage = dict(margins_mm or {}), dict(thresholds or {}), coverage
        self.rows: list[dict[str, Any]] = []

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write, and return the case without its maps."""
        result = dict(data)
        case, scan = str(result["case_id"]), result["scan"]
        header = read_header(scan)
        for name in MAPS:
            values = np.asarray(result.pop(name)[0].cpu(), dtype=np.float32)
            write_volume(self.folder / MAP_FOLDER / f"{case}_{name}.nii.gz", values, like=header)
        labels = np.asarray(result["pred"][0].cpu())
        spacing_mm = np.linalg.norm(header.affine[:3, :3], axis=0)
        ml = float(abs(np.linalg.det(header.affine[:3, :3]))) / 1000
        volumes = {}
        for label, name in enumerate(self.names, start=1):
            mask = labels == label
            volumes[f"{name} volume_ml"] = np.count_nonzero(mask) * ml
            if name in self.margins_mm:
                nested = margin_labels(mask, spacing_mm, *self.margins_mm[name])
                save_labels(self.folder / MARGIN_FOLDER / f"{case}_{name}.nii.gz", nested, scan)
        self.rows.append({"case": case, **self.measures.row(self.names), **volumes})
        write_texts({self.folder / TABLE: uncertainty_csv(self.rows, self.thresholds, self.coverage)})
        return result


def uncertainty_csv(rows: Sequence[Mapping[str, Any]], thresholds: Mapping[str, float], coverage: float = 0.9) -> str:
    """Table of the cases as CSV, with ``review``: yes for those to send to a human.

    Args:
        rows: From `Measures.row`, with ``case`` first.
        thresholds: See `SaveUncertaintyd`.
        coverage: Share of cases to accept at least.
    """
    score = str(rows[0]["trust_score"])
    send, _ = cases_to_review([row["trust"] for row in rows], coverage, thresholds.get(score))
    rows = [{"case": row["case"], "review": "yes" if one else "no", **row} for row, one in zip(rows, send, strict=True)]
    return csv_text(list(rows[0]), [list(row.values()) for row in rows])


def margin_labels(mask: np.ndarray, spacing_mm: Sequence[float], outer_mm: float, inner_mm: float) -> np.ndarray:
    """Margins of a predicted structure as nested labels.

    Args:
        mask: Bool array, the prediction.
        spacing_mm: Voxel size along each axis, in mm.
        outer_mm: Radius of the dilation.
        inner_mm: Radius of the erosion.

    Returns:
        uint8: 1 within the outer contour, 2 within the prediction, 3 within the inner contour (the outer contour
        encloses all three); 0 everywhere for an empty prediction.

    Raises:
        InputError: If a radius is negative.

    Examples:
        >>> margin_labels(np.array([[0, 0, 1, 1, 1, 0]], bool), (1, 2), outer_mm=2, inner_mm=2).tolist()
        [[0, 1, 2, 3, 2, 1]]
    """
    if outer_mm < 0 or inner_mm < 0:
        raise InputError(f"expected margins of at least 0 mm, got {outer_mm:g} and {inner_mm:g}")
    result = mask.astype(np.uint8) * 2
    if mask.any():
        result[~mask & (depths_mm(~mask, spacing_mm) <= outer_mm)] = 1
        result[mask & (depths_mm(mask, spacing_mm) > inner_mm)] = 3
    return result
