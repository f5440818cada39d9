import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from regionwise.metrics import assd_mm, boundary, hausdorff_mm, masd_mm, nearest, surface_dice, surface_distances
from scipy.spatial.distance import cdist

from .masks import mask_of

DIAGONAL_MM = 99.0


def test_boundary_of_a_solid_square_is_its_ring():
    mask = mask_of((7, 7), (slice(1, 6), slice(1, 6)))
    expected = mask.copy()
    expected[2:5, 2:5] = False
    assert np.array_equal(boundary(mask), expected)


def test_boundary_counts_only_face_neighbors_as_outside():
    mask = np.ones((3, 3), bool)
    mask[0, 0] = False
    # Pixel (1, 1) touches the hole by its corner only.
    assert not boundary(mask)[1, 1]
    assert boundary(mask)[0, 1] and boundary(mask)[1, 0]


def test_boundary_at_the_border_of_the_array():
    assert np.array_equal(boundary(np.ones((3, 3), bool)), ~mask_of((3, 3), (1, 1)))


def test_two_points_two_pixels_apart():
    # DeepMind's example: spacing (2, 1).
    one, two = mask_of((10, 10), (2, 2)), mask_of((10, 10), (3, 2))
    surfaces = surface_distances(one, two, (2, 1))
    assert hausdorff_mm(surfaces, DIAGONAL_MM) == 2.0
    surfaces = surface_distances(one, mask_of((10, 10), (2, 4)), (2, 1))
    assert hausdorff_mm(surfaces, DIAGONAL_MM) == 2.0
    surfaces = surface_distances(mask_of((9, 9, 9), (0, 0, 0)), mask_of((9, 9, 9), (1, 2, 2)), (2, 1, 1))
    assert hausdorff_mm(surfaces, DIAGONAL_MM) == pytest.approx(np.sqrt(12))


def test_line_against_its_end():
    # A is one pixel, B the ten pixels from it on: distances A to B {0}, B to A {0, 1, ..., 9} mm.
    a, b = mask_of((1, 10), (0, 0)), mask_of((1, 10), (0, slice(None)))
    surfaces = surface_distances(a, b, (1, 1))
    assert sorted(surfaces.to_prediction_mm) == list(range(10))
    assert list(surfaces.to_reference_mm) == [0]
    assert hausdorff_mm(surfaces, DIAGONAL_MM) == 9
    assert hausdorff_mm(surfaces, DIAGONAL_MM, percentile=50) == 4.5
    assert assd_mm(surfaces, DIAGONAL_MM) == pytest.approx(45 / 11)
    assert masd_mm(surfaces, DIAGONAL_MM) == pytest.approx((0 + 4.5) / 2)
    assert surface_dice(surfaces, 0) == pytest.approx(2 / 11)
    assert surface_dice(surfaces, 3) == pytest.approx((1 + 4) / 11)


def test_the_percentile_is_taken_in_each_direction():
    # B to A holds one far point among twenty; pooling both lists would halve its weight.
    a = mask_of((1, 40), (0, slice(0, 9)))
    b = mask_of((1, 40), (0, slice(0, 9)), (0, 39))
    surfaces = surface_distances(a, b, (1, 1))
    assert hausdorff_mm(surfaces, DIAGONAL_MM) == 31
    assert hausdorff_mm(surfaces, DIAGONAL_MM, percentile=95) == pytest.approx(np.percentile([0] * 9 + [31], 95))


def test_tolerance_is_inclusive_and_not_beaten_by_rounding():
    a, b = mask_of((1, 9), (0, 0)), mask_of((1, 9), (0, 3))
    surfaces = surface_distances(a, b, (0.1, 0.1))
    assert surfaces.to_reference_mm[0] > 0.3  # 3 * 0.1 in binary
    assert surface_dice(surfaces, 0.3) == 1
    assert surface_dice(surfaces, 0.29) == 0


@pytest.mark.parametrize("measure", [hausdorff_mm, assd_mm, masd_mm])
def test_empty_masks(measure):
    empty, some = np.zeros((4, 4), bool), mask_of((4, 4), (1, 1))
    assert measure(surface_distances(empty, empty, (1, 1)), DIAGONAL_MM) == 0
    assert measure(surface_distances(some, empty, (1, 1)), DIAGONAL_MM) == DIAGONAL_MM
    assert measure(surface_distances(empty, some, (1, 1)), DIAGONAL_MM) == DIAGONAL_MM


def test_surface_dice_of_empty_masks():
    empty, some = np.zeros((4, 4), bool), mask_of((4, 4), (1, 1))
    assert surface_dice(surface_distances(empty, empty, (1, 1)), 1) == 1
    assert surface_dice(surface_distances(some, empty, (1, 1)), 1) == 0


def test_the_layout_in_memory_does_not_matter():
    rng = np.random.default_rng(0)
    masks = [rng.random((5, 7, 9)) < 0.3 for _ in range(2)]
    expected = surface_distances(*masks, (3, 2, 1))
    for layout in (np.asfortranarray, lambda mask: mask.transpose(1, 2, 0).copy().transpose(2, 0, 1)):
        found = surface_distances(*map(layout, masks), (3, 2, 1))
        for side in ("to_reference_mm", "to_prediction_mm"):
            assert np.array_equal(np.sort(getattr(found, side)), np.sort(getattr(expected, side)))


MASKS = hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(bool, shape)] * 2)
)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(MASKS, st.sampled_from([(1, 1, 1), (8, 1.5, 0.7)]))
def test_distances_are_those_of_all_pairs(masks, spacing):
    spacing = spacing[: masks[0].ndim]
    points = [np.argwhere(boundary(mask)) * np.asarray(spacing, float) for mask in masks]
    surfaces = surface_distances(*masks, spacing)
    assert (surfaces.prediction, surfaces.reference) == tuple(len(one) for one in points)
    if min(len(one) for one in points):
        table = cdist(*points)
        np.testing.assert_allclose(np.sort(surfaces.to_reference_mm), np.sort(table.min(axis=1)), atol=1e-9)
        np.testing.assert_allclose(np.sort(surfaces.to_prediction_mm), np.sort(table.min(axis=0)), atol=1e-9)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (8, 1.5, 0.7)])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_measures_do_not_depend_on_how_distances_are_found(share, spacing, monkeypatch):
    rng = np.random.default_rng(0)
    masks = [rng.random((20, 30, 12)) < share for _ in range(2)]
    found = []
    for cheap_ns in (0, np.inf):
        monkeypatch.setattr(nearest, "_CHEAP_NS", cheap_ns)
        monkeypatch.setattr(nearest, "_VOXEL_NS", 0)
        found.append(surface_distances(*masks, spacing))
    assert [one.to_reference_mm.dtype for one in found] == [np.float32, np.float64]
    for measure in (hausdorff_mm, assd_mm, masd_mm):
        assert measure(found[0], DIAGONAL_MM) == pytest.approx(measure(found[1], DIAGONAL_MM), rel=1e-6)
    for tolerance in (0.7, 1, 1.5, 3 * 0.7, np.hypot(1.5, 0.7)):
        assert surface_dice(found[0], tolerance) == surface_dice(found[1], tolerance)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(MASKS)
def test_every_measure_is_symmetric(masks):
    spacing = (2, 1, 1)[: masks[0].ndim]
    there, back = surface_distances(*masks, spacing), surface_distances(*reversed(masks), spacing)
    for measure in (hausdorff_mm, assd_mm, masd_mm):
        assert measure(there, DIAGONAL_MM) == pytest.approx(measure(back, DIAGONAL_MM))
    assert surface_dice(there, 1) == pytest.approx(surface_dice(back, 1))
