"""Uncertainty of slices and cases: predictive entropy, separately for each predicted class."""

import numpy as np
from scipy.special import entr


def slice_scores(probabilities: np.ndarray, slice_axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the predictive entropy per slice and predicted class, and which slices have foreground.

    s_c = 1/V sum_{i: argmax p_i = c} H(p_i), H(p) = -sum_k p_k ln p_k, over the V voxels of the slice.

    Args:
        probabilities: Float (K, *spatial), summing to 1 over the K classes, class 0 the background.
        slice_axis: Spatial axis that slices are perpendicular to.

    Returns:
        Float64 (slices, K) in nats, and bool (slices,). The mean over slices is the score of the case.

    Examples:
        >>> probabilities = np.array([[[0.5, 1.0]], [[0.5, 0.0]]])  # one slice of two voxels, one of them undecided
        >>> scores, foreground = slice_scores(probabilities, 0)
        >>> (scores / np.log(2)).round(3).tolist(), foreground.tolist()
        ([[0.5, 0.0]], [False])
    """
    planes = np.moveaxis(probabilities, slice_axis + 1, 0)
    planes = planes.reshape(*planes.shape[:2], -1)
    entropy, predicted = entr(planes.astype(np.float64)).sum(1), planes.argmax(1)
    sums = [np.where(predicted == label, entropy, 0).mean(1) for label in range(planes.shape[1])]
    return np.stack(sums, 1), (predicted > 0).any(1)
