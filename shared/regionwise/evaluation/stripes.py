"""Stripes in a label map: labels that change from one voxel to the next and change back at once, as in a checkerboard.

Strided and transposed convolutions can leave a pattern with a period of two voxels in a prediction, which a Dice of 0.8
hides. Structures one voxel thin change back at once, too, so a prediction is compared with its reference.
"""

from dataclasses import dataclass

import numpy as np

EXCESS = 0.1
"""A prediction is striped where its share exceeds twice its reference's by more than this."""
FEWEST = 100
"""Fewer label changes than this along an axis, as of a few stray voxels, have no share: it counts as 0."""


@dataclass(frozen=True)
class Stripes:
    """Share of label changes that come back one voxel later, along the axis where the prediction stands out most.

    Attributes:
        axis: Array axis.
        prediction: Share of the prediction, from 0 to 1; 0 if no label changes along the axis.
        reference: Share of the reference along the same axis.
    """

    axis: int
    prediction: float
    reference: float

    @property
    def found(self) -> bool:
        """Whether the prediction is striped: its share is above 2 x reference + `EXCESS`.

        Twice, because a prediction of thin structures is often thinner than the reference; so a reference with a share
        of 0.45 or more never makes a prediction striped.
        """
        return self.prediction > 2 * self.reference + EXCESS


def count_changes(labels: np.ndarray) -> np.ndarray:
    """Count the label changes along each axis, and those of them that come back one voxel later.

    A change is l[i] != l[i + 1]; it comes back if l[i + 2] = l[i].

    Args:
        labels: Integers of any shape.

    Returns:
        int64 (axes, 2): changes, and those that come back; zeros along an axis of fewer than two voxels. The counts of
        several cases can be added.

    Examples:
        >>> count_changes(np.array([0, 1, 0, 1, 0, 0, 0, 2, 2]))
        array([[5, 3]])
    """
    counts = np.zeros((labels.ndim, 2), np.int64)
    for axis in range(labels.ndim):
        line = np.moveaxis(labels, axis, 0)
        changes = line[1:] != line[:-1]
        counts[axis] = np.count_nonzero(changes), np.count_nonzero(changes[:-1] & (line[2:] == line[:-2]))
    return counts


def compare_stripes(prediction: np.ndarray, reference: np.ndarray, fewest: int = FEWEST) -> Stripes:
    """Compare the shares of changes that come back, of a case or of several whose counts were added.

    Args:
        prediction: Counts of the prediction by `count_changes`.
        reference: Counts of the reference, of the same axes.
        fewest: Number of changes of the prediction along an axis below which its share counts as 0.

    Returns:
        The shares along the axis where the prediction's exceeds twice the reference's most.

    Examples:
        >>> striped, smooth = np.array([0, 1, 0, 1, 0, 1, 0, 0]), np.array([0, 0, 1, 1, 1, 1, 0, 0])
        >>> compare_stripes(count_changes(striped), count_changes(smooth), fewest=1)
        Stripes(axis=0, prediction=0.8333333333333334, reference=0.0)
    """
    own = np.where(prediction[:, 0] >= fewest, _shares(prediction), 0)
    truth = _shares(reference)
    axis = int(np.argmax(own - 2 * truth))
    return Stripes(axis, float(own[axis]), float(truth[axis]))


def _shares(counts: np.ndarray) -> np.ndarray:
    changes, back = counts.T
    return back / np.maximum(changes, 1)
