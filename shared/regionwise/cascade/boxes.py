"""The box around structures, with a margin in mm."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

Box = tuple[tuple[int, int], ...]


def find_box(
    labels: np.ndarray, structures: Sequence[int], spacing_mm: Sequence[float], margin_mm: float
) -> Box | None:
    """Return the smallest box that holds some structures and a margin, clipped to the volume.

    Args:
        labels: Integer array (*spatial).
        structures: Labels to look for; [] for every label but 0.
        spacing_mm: Voxel size per axis.
        margin_mm: Distance to keep on every side; rounded up to whole voxels.

    Returns:
        First voxel and the one after the last, per axis; None if none of the structures is there.

    Examples:
        >>> labels = np.zeros((10, 10), np.uint8)
        >>> labels[4, 5:7] = 2
        >>> find_box(labels, [2], (1.0, 2.0), margin_mm=3)
        ((1, 8), (3, 9))
    """
    mask = np.isin(labels, list(structures)) if structures else labels > 0
    (found,) = ndimage.find_objects(mask.astype(np.uint8)) or (None,)
    if found is None:
        return None
    margins = [int(np.ceil(margin_mm / size - 1e-6)) for size in spacing_mm]
    return tuple(
        (max(0, part.start - margin), min(size, part.stop + margin))
        for part, margin, size in zip(found, margins, labels.shape, strict=True)
    )
