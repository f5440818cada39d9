"""Lesion-wise measures: connected components are counted instead of voxels.

Two rules are reported side by side. The *touch* rule asks whether each lesion was noticed: one voxel is enough, and one
predicted lesion may find many. It says nothing about their number: a prediction that is foreground everywhere finds
every lesion. The *one-to-one* rule pairs each predicted lesion with at most one reference lesion, so that flooding
scores low.
"""

from dataclasses import dataclass

import cc3d
import numpy as np

from .masks import check_masks

OVERLAP_RULE = (
    "a lesion is a connected component (26 neighbors, 8 in 2-D). Found: the prediction holds at least one of its "
    "voxels; false: a predicted lesion that holds no voxel of the reference. Matched: predicted and reference lesions "
    "paired one to one, largest IoU first, if they share a voxel (matched) or reach an IoU of 0.5 (matched, IoU 0.5); "
    "only the matched numbers are low where one prediction covers many lesions"
)


@dataclass(frozen=True)
class LesionCounts:
    """Lesions of a prediction and a reference.

    Attributes:
        found: Reference lesions that the prediction touches.
        missed: Reference lesions that it does not touch.
        false: Predicted lesions that touch no reference lesion.
        predicted: All predicted lesions; one may touch several reference lesions, and the other way round.
        matched: One-to-one pairs that share at least one voxel.
        matched_iou50: One-to-one pairs with an IoU of at least 0.5.
    """

    found: int
    missed: int
    false: int
    predicted: int
    matched: int
    matched_iou50: int

    @property
    def reference(self) -> int:
        """Return the number of reference lesions."""
        return self.found + self.missed


def count_lesions(prediction: np.ndarray, reference: np.ndarray) -> LesionCounts:
    """Count and match lesions by the `OVERLAP_RULE`.

    Pairs are matched greedily by decreasing IoU, as panoptica's ``NaiveThresholdMatching`` does.

    Args:
        prediction: Bool array, 2-D or 3-D.
        reference: Bool array of the same shape.

    Returns:
        The counts; all 0 for two empty masks.

    Raises:
        InputError: If the masks are not bool, or not 2-D or 3-D, or their shapes differ.
    """
    check_masks(prediction, reference)
    predicted, predicted_sizes = _components(prediction)
    lesions, lesion_sizes = _components(reference)
    both = prediction & reference
    pairs, shared = np.unique(np.stack([lesions[both], predicted[both]]).astype(np.int64), axis=1, return_counts=True)
    iou = shared / (lesion_sizes[pairs[0]] + predicted_sizes[pairs[1]] - shared)
    n_predicted, n_reference = len(predicted_sizes) - 1, len(lesion_sizes) - 1
    found, hit = (len(np.unique(side)) for side in pairs)
    matched = _match(pairs, iou)
    return LesionCounts(
        found, n_reference - found, n_predicted - hit, n_predicted, len(matched), int(np.sum(iou[matched] >= 0.5))
    )


def lesion_sensitivity(lesions: LesionCounts) -> float:
    """Fraction of the reference lesions that is found: found / (found + missed), in [0, 1].

    No lesion on either side: 1; on one side only: 0.
    """
    return _policy(lesions, lesions.found, lesions.reference)


def lesion_f1(lesions: LesionCounts) -> float:
    """Lesion-wise F1 by the touch rule: 2 found / (2 found + false + missed), in [0, 1].

    One predicted lesion over all reference lesions scores 1; see `lesion_f1_matched`. No lesion on either side: 1; on
    one side only: 0.
    """
    return _policy(lesions, 2 * lesions.found, 2 * lesions.found + lesions.false + lesions.missed)


def lesion_f1_matched(lesions: LesionCounts) -> float:
    """Lesion-wise F1 of one-to-one pairs that overlap: 2 matched / (predicted + reference), in [0, 1].

    No lesion on either side: 1; on one side only: 0.
    """
    return _policy(lesions, 2 * lesions.matched, lesions.predicted + lesions.reference)


def lesion_f1_iou50(lesions: LesionCounts) -> float:
    """Lesion-wise F1 of one-to-one pairs with an IoU of at least 0.5, in [0, 1].

    2 matched / (predicted + reference), the recognition quality of panoptic segmentation (Kirillov et al., CVPR 2019).
    No lesion on either side: 1; on one side only: 0.
    """
    return _policy(lesions, 2 * lesions.matched_iou50, lesions.predicted + lesions.reference)


def lesion_count_difference(lesions: LesionCounts) -> int:
    """Number of predicted minus number of reference lesions."""
    return lesions.predicted - lesions.reference


def _match(pairs: np.ndarray, iou: np.ndarray) -> list[int]:
    """Return the indices of the pairs (2, n) that a greedy one-to-one matching keeps, largest IoU first."""
    taken: tuple[set[int], set[int]] = (set(), set())
    kept = []
    for index in np.argsort(-iou, kind="stable").tolist():
        one, other = pairs[:, index].tolist()
        if one not in taken[0] and other not in taken[1]:
            taken[0].add(one)
            taken[1].add(other)
            kept.append(index)
    return kept


def _policy(lesions: LesionCounts, part: int, whole: int) -> float:
    if not lesions.predicted and not lesions.reference:
        return 1.0
    return part / whole if whole else 0.0


def _components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels 1, 2, ... of the components and the number of voxels of each label, the background first."""
    if not mask.any():
        return np.zeros(mask.shape, np.uint16), np.array([mask.size])
    labels = cc3d.connected_components(mask, connectivity=26 if mask.ndim == 3 else 8)
    return labels, cc3d.statistics(labels)["voxel_counts"].astype(np.int64)
