import numpy as np
import pytest
from regionwise.metrics import bounding_box, measure_structure

from .masks import blob, mask_of


def test_one_pass_gives_every_column():
    # Two voxels, 2 mm apart along the first axis; a voxel is 2 x 1 x 1 mm.
    one, two = mask_of((4, 3, 3), (1, 1, 1)), mask_of((4, 3, 3), (2, 1, 1))
    assert measure_structure(one, two, (2, 1, 1), tolerances_mm=(1, 2.5)) == {
        "status": "TP",
        "dice": 0,
        "hd_mm": 2,
        "hd95_mm": 2,
        "assd_mm": 2,
        "nsd_1mm": 0,
        "nsd_2.5mm": 1,
        "masd_mm": 2,
        "jaccard": 0,
        "precision": 0,
        "sensitivity": 0,
        "volumetric_similarity": 1,
        "volume_ml": 0.002,
        "reference_volume_ml": 0.002,
        "volume_error_ml": 0,
        "absolute_volume_error_ml": 0,
    }


def test_a_missed_structure_is_as_far_as_the_image_is_long():
    mask = mask_of((3, 4, 1), (0, 0, 0))
    missed = measure_structure(np.zeros_like(mask), mask, (1, 1, 1))
    assert (missed["status"], missed["dice"], missed["hd95_mm"]) == ("FN", 0, pytest.approx(np.sqrt(26)))
    assert measure_structure(np.zeros_like(mask), mask, (1, 1, 1), diagonal_mm=40)["assd_mm"] == 40


def test_arrays_of_no_voxels_are_a_true_negative():
    nothing = measure_structure(np.zeros((0, 0), bool), np.zeros((0, 0), bool), (1, 1))
    assert (nothing["status"], nothing["dice"], nothing["hd_mm"], nothing["nsd_1mm"]) == ("TN", 1, 0, 1)


def test_one_perfect_and_one_missed_case_do_not_average_to_zero():
    """MONAI issue 9095: the missed case is NaN there, dropped, and the mean HD95 is 0."""
    mask = mask_of((10, 10, 10), (slice(2, 5), slice(2, 5), slice(2, 5)))
    perfect = measure_structure(mask, mask, (1, 1, 1))
    missed = measure_structure(np.zeros_like(mask), mask, (1, 1, 1))
    assert perfect["hd95_mm"] == 0
    assert np.mean([perfect["hd95_mm"], missed["hd95_mm"]]) == pytest.approx(np.sqrt(300) / 2)


def test_room_around_the_masks_changes_nothing():
    one, two = blob(1), blob(2)
    inner = measure_structure(one, two, (1, 2, 3), diagonal_mm=50)
    outer = measure_structure(np.pad(one, 5), np.pad(two, 5), (1, 2, 3), diagonal_mm=50)
    assert inner == outer


def test_bounding_box():
    assert bounding_box(mask_of((5, 6), (1, 2), (3, 4))) == (slice(1, 4), slice(2, 5))
    assert bounding_box(np.zeros((5, 6), bool)) == (slice(0, 0), slice(0, 0))
