import numpy as np
import pytest
from regionwise.metrics import LesionCounts, count_lesions, lesion_count_difference, lesion_f1, lesion_sensitivity

from .masks import mask_of


def test_found_missed_and_false_lesions():
    reference = mask_of((12, 12), (1, 1), (1, 5), (6, slice(0, 3)), (10, 10))
    prediction = mask_of((12, 12), (1, 1), (slice(5, 8), 2), (3, 9), (9, 1))
    # Found: (1, 1) and the bar in row 6. Missed: (1, 5) and (10, 10). False: (3, 9) and (9, 1).
    lesions = count_lesions(prediction, reference)
    assert lesions == LesionCounts(found=2, missed=2, false=2, predicted=4)
    assert lesion_sensitivity(lesions) == 0.5
    assert lesion_f1(lesions) == pytest.approx(4 / 8)
    assert lesion_count_difference(lesions) == 0


def test_one_prediction_over_two_lesions_finds_both():
    reference = mask_of((3, 9), (1, 1), (1, 7))
    lesions = count_lesions(mask_of((3, 9), (1, slice(1, 8))), reference)
    assert lesions == LesionCounts(found=2, missed=0, false=0, predicted=1)
    assert lesion_count_difference(lesions) == -1
    assert lesion_f1(lesions) == 1


def test_voxels_that_touch_by_a_corner_are_one_lesion():
    corner = mask_of((3, 3, 3), (0, 0, 0), (1, 1, 1))
    assert count_lesions(corner, corner).found == 1
    corner = mask_of((3, 3), (0, 0), (1, 1))
    assert count_lesions(corner, corner).found == 1


def test_empty_masks():
    empty, some = np.zeros((3, 3), bool), mask_of((3, 3), (1, 1))
    none = count_lesions(empty, empty)
    assert (lesion_sensitivity(none), lesion_f1(none), lesion_count_difference(none)) == (1, 1, 0)
    for lesions in (count_lesions(some, empty), count_lesions(empty, some)):
        assert (lesion_sensitivity(lesions), lesion_f1(lesions)) == (0, 0)
