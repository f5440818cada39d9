import numpy as np
import pytest
from regionwise.active import slice_scores


def certain(shape=(3, 4, 5), classes=3):
    probabilities = np.zeros((classes, *shape), np.float32)
    probabilities[0] = 1
    return probabilities


def test_certain_slices_score_zero():
    scores, foreground = slice_scores(certain(), 0)
    assert scores.shape == (3, 3)
    assert not scores.any() and not foreground.any()


def test_entropy_counts_for_the_class_that_is_predicted_and_per_voxel_of_the_slice():
    probabilities = certain()
    probabilities[:, 1, 0, 0] = (0.25, 0.5, 0.25)
    scores, foreground = slice_scores(probabilities, 0)
    expected = -(0.5 * np.log(0.25) + 0.5 * np.log(0.5)) / 20
    assert scores[1].tolist() == [0, pytest.approx(expected), 0]
    assert foreground.tolist() == [False, True, False]
    assert np.count_nonzero(scores) == 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_perpendicular_to_the_axis(axis):
    probabilities = certain()
    probabilities[:2, 2, 3, 4] = 0.5
    scores, _ = slice_scores(probabilities, axis)
    assert len(scores) == (3, 4, 5)[axis]
    assert np.flatnonzero(scores.sum(1)).tolist() == [(2, 3, 4)[axis]]
