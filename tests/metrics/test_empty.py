import numpy as np
import pytest
from regionwise.metrics import counts, image_diagonal_mm, status
from regionwise.metrics.empty import distance, similarity

EMPTY, SOME = np.zeros(3, bool), np.ones(3, bool)


@pytest.mark.parametrize(
    ("prediction", "reference", "name", "similar", "apart_mm"),
    [(SOME, SOME, "TP", 0.25, 7.0), (SOME, EMPTY, "FP", 0, 50), (EMPTY, SOME, "FN", 0, 50), (EMPTY, EMPTY, "TN", 1, 0)],
)
def test_policy(prediction, reference, name, similar, apart_mm):
    voxels = counts(prediction, reference)
    assert status(voxels) == name
    assert similarity(voxels, lambda: 0.25) == similar
    assert distance(voxels, lambda: 7.0, diagonal_mm=50) == apart_mm


def test_nothing_is_measured_on_empty_masks():
    def fail():
        raise AssertionError("measured an empty mask")

    similarity(counts(EMPTY, SOME), fail)
    distance(counts(EMPTY, EMPTY), fail, diagonal_mm=50)


def test_image_diagonal():
    assert image_diagonal_mm((3, 4), (1, 1)) == 5
    assert image_diagonal_mm((10, 10, 5), (1, 1, 2)) == pytest.approx(np.sqrt(300))
