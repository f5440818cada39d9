import numpy as np
import pytest
from regionwise.metrics import counts, dice, jaccard, precision, sensitivity, volumetric_similarity

from .masks import mask_of

MEASURES = (dice, jaccard, precision, sensitivity, volumetric_similarity)


def test_counts_of_two_bars_that_share_two_pixels():
    # A holds 4 pixels, B 6, both 2.
    voxels = counts(mask_of((10,), slice(0, 4)), mask_of((10,), slice(2, 8)))
    assert (voxels.prediction, voxels.reference, voxels.intersection) == (4, 6, 2)
    assert dice(voxels) == pytest.approx(0.4)
    assert jaccard(voxels) == pytest.approx(2 / 8)
    assert precision(voxels) == pytest.approx(2 / 4)
    assert sensitivity(voxels) == pytest.approx(2 / 6)
    assert volumetric_similarity(voxels) == pytest.approx(1 - 2 / 10)


@pytest.mark.parametrize("measure", MEASURES)
def test_empty_masks(measure):
    empty, some = np.zeros(5, bool), np.ones(5, bool)
    assert measure(counts(empty, empty)) == 1
    assert measure(counts(some, empty)) == 0
    assert measure(counts(empty, some)) == 0


@pytest.mark.parametrize("measure", MEASURES)
def test_a_perfect_prediction_is_one(measure):
    mask = mask_of((4, 4), (1, slice(0, 3)))
    assert measure(counts(mask, mask)) == 1


def test_equal_volumes_apart_are_similar_and_do_not_overlap():
    voxels = counts(mask_of((6,), 0), mask_of((6,), 5))
    assert volumetric_similarity(voxels) == 1
    assert dice(voxels) == 0
