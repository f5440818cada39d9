import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.metrics import (
    boundary_iou,
    brier_score,
    center_line_dice,
    count_lesions,
    counts,
    measure_structure,
    reliability_bins,
    surface_distances,
)

METRICS = {
    "surface distances": lambda a, b: surface_distances(a, b, (1,) * a.ndim),
    "standard measures": lambda a, b: measure_structure(a, b, (1,) * a.ndim),
    "boundary IoU": lambda a, b: boundary_iou(a, b, (1,) * a.ndim, 1),
    "center-line Dice": center_line_dice,
    "lesions": count_lesions,
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("ndim", [1, 4])
def test_other_than_2d_or_3d_raises(metric, ndim):
    mask = np.ones((3,) * ndim, bool)
    with pytest.raises(InputError, match=rf"expected 2-D or 3-D masks, found {ndim} axes in shape"):
        METRICS[metric](mask, mask)


@pytest.mark.parametrize("metric", [*METRICS, "counts"])
def test_unlike_shapes_raise(metric):
    measure = METRICS.get(metric, counts)
    with pytest.raises(InputError, match=r"expected masks of one shape, found \(3, 4\) \(prediction\) and \(4, 4\)"):
        measure(np.ones((3, 4), bool), np.ones((4, 4), bool))
    with pytest.raises(InputError, match="expected masks of one shape"):
        measure(np.ones((3, 4), bool), np.ones((3, 4, 5), bool))


def test_masks_that_are_not_bool_raise():
    with pytest.raises(InputError, match="expected the reference as a bool array, found uint8; pass labels == 1"):
        counts(np.ones((2, 2), bool), np.ones((2, 2), np.uint8))
    with pytest.raises(InputError, match="expected the prediction as a bool array, found list"):
        counts([[True]], np.ones((1, 1), bool))


@pytest.mark.parametrize("measure", [reliability_bins, brier_score])
def test_truth_of_another_shape_than_the_probabilities_raises(measure):
    with pytest.raises(InputError, match=r"expected truth of shape \(2, 3\), as the probabilities, found \(3, 2\)"):
        measure(np.zeros((2, 3)), np.zeros((3, 2), bool))
