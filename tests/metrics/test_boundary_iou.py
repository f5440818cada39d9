import numpy as np
import pytest
from regionwise.metrics import boundary_iou

from .masks import mask_of


def test_rims_of_shifted_squares():
    # 6 x 6 squares one row apart; rims are 1 pixel wide: 20 pixels each.
    a = mask_of((12, 12), (slice(2, 8), slice(2, 8)))
    b = mask_of((12, 12), (slice(3, 9), slice(2, 8)))
    # Shared: the side columns of rows 3-7 (2 x 5). A's top and bottom rows meet B's interior or nothing.
    shared = 2 * 5
    assert boundary_iou(a, b, (1, 1), width_mm=1) == pytest.approx(shared / (20 + 20 - shared))


def test_the_width_is_in_mm():
    square = mask_of((9, 9), (slice(1, 8), slice(1, 8)))
    # Pixels of 2 x 1 mm: 2 mm are one pixel from above and below, two from the sides.
    assert boundary_iou(square, square & ~mask_of((9, 9), (slice(2, 7), slice(3, 6))), (2, 1), width_mm=2) == 1
    # Pixels of 1 x 1 mm: two from everywhere.
    assert boundary_iou(square, square & ~mask_of((9, 9), (slice(3, 6), slice(3, 6))), (1, 1), width_mm=2) == 1


def test_the_border_of_the_array_is_outside():
    full = np.ones((5, 5), bool)
    ring = full & ~mask_of((5, 5), (slice(1, 4), slice(1, 4)))
    assert boundary_iou(full, ring, (1, 1), width_mm=1) == 1


def test_empty_masks_and_a_width_below_a_voxel():
    empty, some = np.zeros((4, 4), bool), mask_of((4, 4), (1, 1))
    assert boundary_iou(empty, empty, (1, 1), 1) == 1
    assert boundary_iou(empty, some, (1, 1), 1) == 0
    assert boundary_iou(some, some, (1, 1), 0.5) == 0
