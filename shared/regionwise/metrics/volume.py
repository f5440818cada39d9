"""Volumes and their errors in millilitres."""

from collections.abc import Sequence

import numpy as np


def volume_ml(voxels: float, spacing_mm: Sequence[float]) -> float:
    """Volume of a number of voxels, n * prod(s) / 1000, in ml.

    Args:
        voxels: how many; not necessarily whole (an expected number).
        spacing_mm: voxel size along three axes.
    """
    return float(voxels) * float(np.prod(np.asarray(spacing_mm, dtype=np.float64))) / 1000


def volume_error_ml(prediction_ml: float, reference_ml: float) -> float:
    """Signed volume error V_A - V_B in ml; positive where the prediction is too large."""
    return prediction_ml - reference_ml


def absolute_volume_error_ml(prediction_ml: float, reference_ml: float) -> float:
    """Absolute volume error |V_A - V_B| in ml."""
    return abs(prediction_ml - reference_ml)
