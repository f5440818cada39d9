"""Check of the masks that a metric compares."""

from collections.abc import Sequence

import numpy as np

from ..errors import InputError


def check_masks(prediction: np.ndarray, reference: np.ndarray, ndims: Sequence[int] = (2, 3)) -> None:
    """Check that two masks can be compared voxel by voxel.

    Args:
        prediction: Predicted mask.
        reference: Reference mask.
        ndims: Numbers of axes that the metric is defined for; empty for any.

    Raises:
        InputError: If a mask is not bool, the shapes differ, or the metric is not defined for this number of axes.
    """
    for name, mask in (("prediction", prediction), ("reference", reference)):
        if not isinstance(mask, np.ndarray) or mask.dtype != bool:
            kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
            raise InputError(f"expected the {name} as a bool array, found {kind}; pass labels == 1, for example")
    if prediction.shape != reference.shape:
        raise InputError(
            f"expected masks of one shape, found {prediction.shape} (prediction) and {reference.shape} (reference)"
        )
    if ndims and prediction.ndim not in ndims:
        wanted = " or ".join(f"{n}-D" for n in ndims)
        raise InputError(f"expected {wanted} masks, found {prediction.ndim} axes in shape {prediction.shape}")
