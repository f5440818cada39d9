"""Patients as clusters: values of frames, lesions or crops of one patient become one value per patient."""

from collections.abc import Hashable, Sequence

import numpy as np

from ...errors import InputError

Values = Sequence[float] | np.ndarray


def cluster_means(values: Values, clusters: Sequence[Hashable] | None = None) -> np.ndarray:
    """Mean of the values of each cluster.

    Args:
        values: Float array (n,) or (n, k), finite.
        clusters: Cluster (patient) of each value; None: each value is its own.

    Returns:
        Array (clusters,) or (clusters, k), in the order in which the clusters first occur.

    Raises:
        InputError: If a value is not finite, or there are not as many clusters as values.

    Examples:
        >>> cluster_means([1, 3, 10], ["patient1", "patient1", "patient2"]).tolist()
        [2.0, 10.0]
    """
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all():
        raise InputError("expected finite values, found NaN or infinity")
    if clusters is None:
        return values
    if len(clusters) != len(values):
        raise InputError(f"expected one cluster per value, found {len(clusters)} for {len(values)} values")
    index = indices(clusters)
    sums = np.zeros((max(index, default=-1) + 1, *values.shape[1:]))
    np.add.at(sums, index, values)
    counts = np.bincount(index, minlength=len(sums)) if index else np.zeros(0)
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def indices(names: Sequence[Hashable]) -> list[int]:
    """Number of each name in the order in which names first occur, from 0."""
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return [order[name] for name in names]
