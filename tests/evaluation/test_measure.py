import numpy as np
import pytest
from regionwise.evaluation import Case, EvaluationSettings, Structure
from regionwise.evaluation.measure import absent_row, error_map, measure_case
from regionwise.nifti import read_labels

from .volumes import cube, write

LV = Structure("LV", (1,))


def test_error_map_values():
    prediction, reference = np.array([0, 1, 1, 0, 2]), np.array([0, 1, 0, 2, 1])
    assert error_map(prediction, reference).tolist() == [0, 0, 1, 2, 3]


def test_error_map_is_written_with_the_geometry_of_the_reference(tmp_path):
    case = Case("a", write(tmp_path, "p", cube(3)), write(tmp_path, "r", cube(2)))
    measure_case(case, EvaluationSettings(classes=(LV,)), tmp_path / "maps")
    errors = read_labels(tmp_path / "maps" / "a.nii.gz")
    assert np.array_equal(errors.affine, read_labels(case.reference).affine)
    assert np.bincount(errors.array.ravel()).tolist() == [12**3 - 32, 16, 16]


def test_the_row_of_an_absent_structure_is_the_measured_one(tmp_path):
    empty = write(tmp_path, "empty", np.zeros((5, 5, 5), np.uint8))
    case = Case("a", empty, empty, "ED")
    settings = EvaluationSettings(classes=(LV,), lesions=("LV",), tubular=("LV",), boundary_width_mm=1)
    measured = measure_case(case, settings).rows[0]
    assert absent_row(case, LV, settings) == measured
    assert (measured["status"], measured["dice"], measured["hd_mm"], measured["lesion_f1"]) == ("TN", 1, 0, 1)


def test_the_whole_image_gives_the_diagonal(tmp_path):
    speck = np.zeros((30, 40, 1), np.uint8)
    speck[3, 3] = 1
    case = Case("a", write(tmp_path, "p", speck * 0), write(tmp_path, "r", speck, np.eye(4)))
    settings = EvaluationSettings(classes=(LV,))
    write(tmp_path, "p", speck * 0, np.eye(4))
    assert measure_case(case, settings).rows[0]["hd_mm"] == pytest.approx(np.sqrt(30**2 + 40**2 + 1))


def test_labels_stored_as_float_or_wide_integers_are_the_same(tmp_path):
    expected = None
    for dtype in (np.uint8, np.int16, np.float32):
        case = Case("a", write(tmp_path, "p", cube(3).astype(dtype)), write(tmp_path, "r", cube(2).astype(dtype)))
        rows = measure_case(case, EvaluationSettings(classes=(LV,))).rows
        expected = expected or rows
        assert rows == expected
