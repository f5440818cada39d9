import numpy as np
import pytest
from regionwise.metrics import (
    LesionCounts,
    count_lesions,
    lesion_count_difference,
    lesion_f1,
    lesion_f1_iou50,
    lesion_f1_matched,
    lesion_sensitivity,
)
from scipy import ndimage

from .masks import mask_of


def test_found_missed_and_false_lesions():
    reference = mask_of((12, 12), (1, 1), (1, 5), (6, slice(0, 3)), (10, 10))
    prediction = mask_of((12, 12), (1, 1), (slice(5, 8), 2), (3, 9), (9, 1))
    # Found: (1, 1) and the bar in row 6. Missed: (1, 5) and (10, 10). False: (3, 9) and (9, 1).
    lesions = count_lesions(prediction, reference)
    assert lesions == LesionCounts(found=2, missed=2, false=2, predicted=4, matched=2, matched_iou50=1)
    assert lesion_sensitivity(lesions) == 0.5
    assert lesion_f1(lesions) == pytest.approx(4 / 8)
    assert lesion_count_difference(lesions) == 0


def test_one_prediction_over_two_lesions_finds_both():
    reference = mask_of((3, 9), (1, 1), (1, 7))
    lesions = count_lesions(mask_of((3, 9), (1, slice(1, 8))), reference)
    assert lesions == LesionCounts(found=2, missed=0, false=0, predicted=1, matched=1, matched_iou50=0)
    assert lesion_count_difference(lesions) == -1
    assert lesion_f1(lesions) == 1
    assert lesion_f1_matched(lesions) == pytest.approx(2 / 3)
    assert lesion_f1_iou50(lesions) == 0


def test_voxels_that_touch_by_a_corner_are_one_lesion():
    corner = mask_of((3, 3, 3), (0, 0, 0), (1, 1, 1))
    assert count_lesions(corner, corner).found == 1
    corner = mask_of((3, 3), (0, 0), (1, 1))
    assert count_lesions(corner, corner).found == 1


def test_empty_masks():
    empty, some = np.zeros((3, 3), bool), mask_of((3, 3), (1, 1))
    none = count_lesions(empty, empty)
    assert (lesion_sensitivity(none), lesion_f1(none), lesion_count_difference(none)) == (1, 1, 0)
    assert (lesion_f1_matched(none), lesion_f1_iou50(none)) == (1, 1)
    for lesions in (count_lesions(some, empty), count_lesions(empty, some)):
        assert (lesion_sensitivity(lesions), lesion_f1(lesions)) == (0, 0)
        assert (lesion_f1_matched(lesions), lesion_f1_iou50(lesions)) == (0, 0)


def test_flooding_scores_low():
    reference = np.zeros((20, 20, 8), bool)
    reference[2::5, 2::9, 3] = True
    lesions = count_lesions(np.ones_like(reference), reference)
    assert (lesions.reference, lesions.predicted) == (8, 1)
    assert lesion_f1(lesions) == 1
    assert lesion_f1_matched(lesions) == pytest.approx(2 / 9)
    assert lesion_f1_iou50(lesions) == 0


def test_the_pair_of_largest_iou_is_matched_first():
    # One predicted bar over a long and a short lesion, and a dot on the long one's other end.
    reference = mask_of((1, 20), (0, slice(0, 8)), (0, slice(9, 11)))
    prediction = mask_of((1, 20), (0, 0), (0, slice(2, 11)))
    lesions = count_lesions(prediction, reference)
    assert (lesions.predicted, lesions.reference) == (2, 2)
    # The bar's IoU is 6/11 with the long lesion and 2/9 with the short one; the dot is left without a partner.
    assert (lesions.matched, lesions.matched_iou50) == (1, 1)


def test_an_iou_of_exactly_one_half_is_a_match():
    assert count_lesions(mask_of((1, 9), (0, slice(0, 4))), mask_of((1, 9), (0, slice(0, 2)))).matched_iou50 == 1
    assert count_lesions(mask_of((1, 9), (0, slice(0, 5))), mask_of((1, 9), (0, slice(0, 2)))).matched_iou50 == 0


def rough_pair(seed):
    """Return a reference of many small lesions and a prediction that follows it more or less."""
    rng = np.random.default_rng(seed)
    one, two = (ndimage.gaussian_filter(rng.normal(size=(14, 14, 10)), 0.8) for _ in range(2))
    reference = two > 0.25
    return one * 0.6 + ndimage.gaussian_filter(reference * 1.0, 0.6) * rng.uniform(0, 0.8) > 0.25, reference


# (predicted, reference, matched, matched at IoU 0.5) as panoptica 2.1.7 counts them, with NaiveThresholdMatching.
PANOPTICA = {0: (20, 21, 11, 2), 1: (16, 20, 7, 1), 2: (16, 16, 10, 6), 3: (21, 26, 14, 3)}


@pytest.mark.parametrize("seed", PANOPTICA)
def test_panoptica_matches_the_same_lesions(seed):
    lesions = count_lesions(*rough_pair(seed))
    assert (lesions.predicted, lesions.reference, lesions.matched, lesions.matched_iou50) == PANOPTICA[seed]


def test_panoptica_itself():
    panoptica = pytest.importorskip("panoptica")
    matchers = [
        panoptica.NaiveThresholdMatching(matching_threshold=threshold, strict_threshold=threshold == 0)
        for threshold in (0, 0.5)
    ]
    for seed in range(20):
        prediction, reference = rough_pair(seed)
        lesions = count_lesions(prediction, reference)
        for matcher, ours in zip(matchers, (lesions.matched, lesions.matched_iou50), strict=True):
            found = panoptica.Panoptica_Evaluator(
                expected_input=panoptica.InputType.SEMANTIC,
                instance_approximator=panoptica.ConnectedComponentsInstanceApproximator(),
                instance_matcher=matcher,
                instance_metrics=[panoptica.Metric.IOU],
            ).evaluate(prediction.astype(np.uint8), reference.astype(np.uint8), verbose=False)["ungrouped"]
            assert (found.n_pred_instances, found.n_ref_instances, found.tp) == (
                lesions.predicted,
                lesions.reference,
                ours,
            )
