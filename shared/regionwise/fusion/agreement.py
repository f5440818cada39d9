"""Agreement of several raters: bias and consistency of each, and how far they differ from each other."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import edt
import numpy as np

from ..metrics import boundary, bounding_box, measure_structure

_TEXT = ("case", "structure", "rater")


def agreement_rows(
    raters: Mapping[str, np.ndarray], fused: np.ndarray, structures: Mapping[str, int], spacing_mm: Sequence[float]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measure the raters of one case against the fusion and against each other.

    Args:
        raters: label map (*spatial) by the rater's name.
        fused: label map (*spatial).
        structures: label by the structure's name.
        spacing_mm: voxel size along each axis.

    Returns:
        A row per structure and rater: ``volume_ml``; ``bias_ml``, the volume minus that of the fusion; ``bias_mm``
        (`mean_surface_bias_mm`); ``dice`` and ``hd_mm`` with the fusion; ``pair_dice`` and ``pair_hd_mm``, the means
        over the other raters. And a row per structure and pair of raters, with ``dice`` and ``hd_mm``. Empty masks
        count as in the evaluation (`regionwise.metrics.POLICY`).
    """
    rows, pairs = [], []
    for structure, label in structures.items():
        masks, truth = {name: labels == label for name, labels in raters.items()}, fused == label
        measured = {
            pair: measure_structure(masks[pair[0]], masks[pair[1]], spacing_mm) for pair in combinations(masks, 2)
        }
        pairs += [
            {"structure": structure, "rater": one, "other": other, "dice": found["dice"], "hd_mm": found["hd_mm"]}
            for (one, other), found in measured.items()
        ]
        for name, mask in masks.items():
            found = measure_structure(mask, truth, spacing_mm)
            others = [one for pair, one in measured.items() if name in pair]
            rows.append(
                {
                    "structure": structure,
                    "rater": name,
                    "volume_ml": found["volume_ml"],
                    "bias_ml": found["volume_error_ml"],
                    "bias_mm": mean_surface_bias_mm(mask, truth, spacing_mm),
                    "dice": found["dice"],
                    "hd_mm": found["hd_mm"],
                    "pair_dice": float(np.mean([one["dice"] for one in others])),
                    "pair_hd_mm": float(np.mean([one["hd_mm"] for one in others])),
                }
            )
    return rows, pairs


def mean_surface_bias_mm(mask: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> float:
    """Mean signed distance between the boundaries of two masks, in mm: positive where the mask is the larger one.

    The mean over the boundary voxels of both: those of the mask count as positive outside the reference and negative
    inside it, those of the reference the other way round. Boundary voxels belong to their mask.

    Args:
        mask: Bool array, 2-D or 3-D.
        reference: Bool array of the same shape.
        spacing_mm: Voxel size along each axis.

    Returns:
        The distance in mm; NaN if a mask is empty.

    Examples:
        >>> import numpy as np
        >>> small, large = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
        >>> small[3:6, 3:6], large[2:7, 2:7] = True, True
        >>> round(mean_surface_bias_mm(large, small, (1.0, 1.0)), 3)  # 1 mm, at the four corners sqrt(2)
        1.069
    """
    if not (mask.any() and reference.any()):
        return float("nan")
    box = bounding_box(mask | reference)
    mask, reference = mask[box], reference[box]
    edge, reference_edge = boundary(mask), boundary(reference)
    outward = _distance_mm(reference_edge, spacing_mm)[edge] * np.where(reference[edge], -1, 1)
    inward = _distance_mm(edge, spacing_mm)[reference_edge] * np.where(mask[reference_edge], 1, -1)
    return float(np.concatenate([outward, inward]).mean(dtype=np.float64))


def summarize_raters(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Summarize the rows of all cases: one per structure and rater.

    Args:
        rows: of `agreement_rows`, of all cases.

    Returns:
        ``cases``; the mean of each measure over the cases (NaN values are left out); and as ``consistency_ml`` and
        ``consistency_mm`` the standard deviation of the biases over the cases (NaN for fewer than two).
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["structure"], row["rater"]), []).append(row)
    summary = []
    for (structure, rater), group in groups.items():
        values = {name: _finite([row[name] for row in group]) for name in group[0] if name not in _TEXT}
        means = {name: float(found.mean()) if len(found) else float("nan") for name, found in values.items()}
        spread = {f"consistency_{unit}": _spread(values[f"bias_{unit}"]) for unit in ("ml", "mm")}
        summary.append({"structure": structure, "rater": rater, "cases": len(group), **means, **spread})
    return summary


def _distance_mm(edge: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    elsewhere = np.ascontiguousarray(~edge).view(np.uint8)
    return edt.edt(elsewhere, anisotropy=tuple(spacing_mm), black_border=False)


def _finite(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
