import numpy as np
import pytest
import torch
from monai.losses.cldice import soft_skel
from regionwise.metrics import center_line_dice, counts, dice, skeleton
from regionwise.metrics.center_line import morphological_skeleton
from skimage.morphology import skeletonize

from .masks import blob, mask_of


def test_skeleton_of_a_bar_is_its_middle_row():
    bar = mask_of((7, 12), (slice(2, 5), slice(1, 11)))
    assert np.array_equal(morphological_skeleton(bar), mask_of((7, 12), (3, slice(2, 10))))
    thinned = skeleton(bar)
    assert thinned[3, 3:9].all() and thinned.sum() <= 10


def test_the_skeleton_is_that_of_the_authors():
    mask = np.pad(blob(3), 2)
    assert np.array_equal(skeleton(mask), skeletonize(mask))
    assert np.array_equal(skeleton(mask[..., 5]), skeletonize(mask[..., 5]))


def test_the_measure_is_that_of_the_authors():
    """Their cl_score(v, s) is sum(v * s) / sum(s), once with each skeleton (github.com/jocpae/clDice)."""
    a, b = np.pad(blob(1), 2), np.pad(blob(2), 2)
    precision = np.sum(b * skeletonize(a)) / np.sum(skeletonize(a))
    sensitivity = np.sum(a * skeletonize(b)) / np.sum(skeletonize(b))
    assert center_line_dice(a, b) == pytest.approx(2 * precision * sensitivity / (precision + sensitivity))


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_tubes_of_any_width_keep_a_center_line(side):
    """scikit-image issue 3757: thinning deletes 3-D tubes whose width is even."""
    tube = mask_of((10, 10, 20), (slice(3, 3 + side), slice(3, 3 + side), slice(None)))
    assert skeleton(tube).any()
    assert center_line_dice(tube, tube) == 1


def test_morphological_skeleton_agrees_with_monai():
    mask = np.pad(blob(3), 2)
    soft = soft_skel(torch.from_numpy(mask)[None, None].float(), iter_=20)[0, 0].numpy()
    assert np.array_equal(morphological_skeleton(mask), soft > 0.5)


def test_the_width_of_a_tube_does_not_matter_but_its_course_does():
    thin = mask_of((9, 20), (4, slice(2, 18)))
    thick = mask_of((9, 20), (slice(3, 6), slice(2, 18)))
    assert dice(counts(thick, thin)) <= 0.5
    assert center_line_dice(thick, thin) > 0.95  # thinning leaves half a pixel at the ends
    half = mask_of((9, 20), (4, slice(2, 10)))
    # The half is right, and finds 8 of the 16 pixels of the line.
    assert center_line_dice(half, thin) == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_tubes_that_do_not_meet_and_empty_masks():
    empty, line, other = np.zeros((5, 5), bool), mask_of((5, 5), (1, slice(None))), mask_of((5, 5), (3, slice(None)))
    assert center_line_dice(line, other) == 0
    assert center_line_dice(empty, empty) == 1
    assert center_line_dice(empty, line) == 0
