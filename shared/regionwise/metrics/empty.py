"""The empty-mask policy: the value of a measure when a structure is missing from one mask or both.

A structure of a case is TP (in both masks), FP (in the prediction only), FN (in the reference only) or TN (in neither).

| status | similarity (Dice, NSD, ...) | distance (HD, ASSD, ...) |
|--------|-----------------------------|--------------------------|
| TP     | measured                    | measured                 |
| FP, FN | 0                           | image diagonal in mm     |
| TN     | 1                           | 0                        |

Nothing is dropped, so a missed structure makes every mean worse, never better.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

POLICY = (
    "both masks empty: similarity 1, distance 0; one empty: similarity 0, distance = image diagonal in mm; "
    "a structure that no case holds has n = 0 and no value"
)


class Sizes(Protocol):
    """Anything that counts the voxels of a prediction and a reference."""

    @property
    def prediction(self) -> int:
        """Return the size of the prediction."""

    @property
    def reference(self) -> int:
        """Return the size of the reference."""


def status(sizes: Sizes) -> str:
    """Return "TP", "FP", "FN" or "TN" for the presence of a structure in prediction and reference."""
    return {(True, True): "TP", (True, False): "FP", (False, True): "FN", (False, False): "TN"}[
        sizes.prediction > 0, sizes.reference > 0
    ]


def similarity(sizes: Sizes, measured: Callable[[], float]) -> float:
    """Return ``measured()`` if both masks hold voxels, else the policy's value of a similarity: 1 (TN) or 0."""
    found = status(sizes)
    return float(measured()) if found == "TP" else float(found == "TN")


def distance(sizes: Sizes, measured: Callable[[], float], diagonal_mm: float) -> float:
    """Return ``measured()`` if both masks hold voxels, else the policy's value of a distance: 0 (TN) or the diagonal.

    Args:
        sizes: Voxels of the two masks.
        measured: Function that gives the distance in mm.
        diagonal_mm: Length of the image's diagonal, see `image_diagonal_mm`.
    """
    found = status(sizes)
    return float(measured()) if found == "TP" else 0.0 if found == "TN" else float(diagonal_mm)


def image_diagonal_mm(shape: Sequence[int], spacing_mm: Sequence[float]) -> float:
    """Length of the image's diagonal: sqrt(sum_k (n_k s_k)^2), in mm; no distance inside the image is larger.

    Args:
        shape: Number of voxels along each axis, of the whole image.
        spacing_mm: Voxel size along each axis, in mm.
    """
    return float(np.linalg.norm(np.asarray(shape, float) * np.asarray(spacing_mm, float)))
