import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from regionwise.evaluation.stripes import Stripes, compare_stripes, count_changes


@pytest.mark.parametrize(
    ("labels", "changes", "back"),
    [
        ([0, 0, 0], 0, 0),
        ([0, 1, 1, 0], 2, 0),  # two voxels thick
        ([0, 1, 0, 0], 2, 1),  # one voxel thin: the way back does not come back
        ([0, 1, 0, 1, 0, 1], 5, 4),
        ([0, 1, 2, 0], 3, 0),  # neighbors, but another label comes
        ([2, 1, 2, 2], 2, 1),
        ([0, 1], 1, 0),
        ([0], 0, 0),
    ],
)
def test_changes_that_come_back_are_counted_along_a_line(labels, changes, back):
    np.testing.assert_array_equal(count_changes(np.array(labels)), [[changes, back]])


def test_every_axis_has_counts_of_its_own():
    columns = np.tile([0, 1, 0, 1], (3, 1))
    np.testing.assert_array_equal(count_changes(columns), [[0, 0], [9, 6]])
    np.testing.assert_array_equal(count_changes(columns[:, :, None]), [[0, 0], [9, 6], [0, 0]])


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.integers(0, 2)))
def test_counts_follow_the_axes_and_mirrors(labels):
    counts = count_changes(labels)
    assert (counts[:, 1] <= counts[:, 0]).all() and (counts >= 0).all()
    np.testing.assert_array_equal(count_changes(labels.T), counts[::-1])
    np.testing.assert_array_equal(count_changes(labels[::-1])[:, 0], counts[:, 0])
    # Every voxel twice: nothing comes back at once.
    assert (count_changes(labels.repeat(2, 0).repeat(2, 1))[:2, 1] == 0).all()


def test_a_checkerboard_of_a_cube_is_found_and_the_cube_is_not():
    cube = np.zeros((12, 12, 12), np.uint8)
    cube[2:10, 2:10, 2:10] = 1
    board = cube.copy()
    board[:, 3:10:2] = 0
    found = compare_stripes(count_changes(board), count_changes(cube))
    assert (found.axis, found.prediction, found.reference) == (1, 7 / 8, 0) and found.found
    assert not compare_stripes(count_changes(cube), count_changes(cube)).found


def test_a_few_stray_voxels_are_no_stripes():
    stray, thick = np.zeros((9, 9), int), np.zeros((9, 9), int)
    stray[4, 4] = 1
    thick[3:6, 3:6] = 1
    counts = count_changes(stray), count_changes(thick)
    assert compare_stripes(*counts) == Stripes(0, 0.0, 0.0)
    assert compare_stripes(*counts, fewest=1).prediction == 0.5


def test_the_axis_is_that_where_the_prediction_stands_out():
    prediction, reference = np.array([[100, 50], [100, 30]]), np.array([[100, 45], [100, 1]])
    assert compare_stripes(prediction, reference) == Stripes(1, 0.3, 0.01)


@pytest.mark.parametrize(
    ("prediction", "reference", "found"),
    [(0.58, 0.01, True), (0.19, 0.01, True), (0.1, 0, False), (0.5, 0.2, False), (1, 0.45, False), (1, 0.4, True)],
)
def test_thin_structures_of_the_reference_are_no_stripes(prediction, reference, found):
    assert Stripes(0, prediction, reference).found is found


def test_a_vessel_one_voxel_thin_is_no_stripe():
    vessel = np.zeros((9, 9), np.uint8)
    vessel[4, 1:8] = 1
    thinner = vessel.copy()
    thinner[4, 1:8:3] = 0
    counts = count_changes(vessel)
    np.testing.assert_array_equal(counts, [[14, 7], [2, 0]])
    assert not compare_stripes(counts, counts).found


def test_nothing_is_not_striped():
    nothing = count_changes(np.zeros((4, 4), int))
    assert compare_stripes(nothing, nothing) == Stripes(0, 0.0, 0.0)
