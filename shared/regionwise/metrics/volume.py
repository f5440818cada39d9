"""Volume in milliliters."""

from collections.abc import Sequence

import numpy as np


def volume_ml(voxels: float, spacing_mm: Sequence[float]) -> float:
    """Volume of a number of voxels: n * prod(spacing) / 1000, in ml.

    Args:
        voxels: Number of voxels; not necessarily whole (an expected number).
        spacing_mm: Voxel size along three axes, in mm.

    Returns:
        Volume in ml.
    """
    return float(voxels) * float(np.prod(np.asarray(spacing_mm, dtype=np.float64))) / 1000
