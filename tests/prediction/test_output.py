"""Margins as labels and the table of the cases."""

import csv
import io

import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.prediction.output import margin_labels, uncertainty_csv
from scipy import ndimage


def test_margins_are_nested_and_in_mm():
    mask = np.zeros((24, 20, 12), bool)
    mask[8:16, 6:14, 4:8] = True
    spacing_mm = (1.0, 1.5, 3.0)
    labels = margin_labels(mask, spacing_mm, outer_mm=3.2, inner_mm=2.1)
    outside, inside = (ndimage.distance_transform_edt(one, spacing_mm) for one in (~mask, mask))
    assert np.array_equal(labels >= 1, outside <= 3.2)
    assert np.array_equal(labels >= 2, mask)
    assert np.array_equal(labels == 3, mask & (inside > 2.1))
    assert {1, 2, 3} <= set(np.unique(labels))


def test_margins_of_nothing_and_of_everything():
    nothing = np.zeros((3, 4), bool)
    assert not margin_labels(nothing, (1, 1), 5, 1).any()
    assert (margin_labels(~nothing, (1, 1), 5, 1) == 3).all()
    assert set(np.unique(margin_labels(~nothing, (1, 1), 0, 0))) == {3}
    with pytest.raises(InputError, match="expected margins of at least 0 mm, got -1 and 2"):
        margin_labels(nothing, (1, 1), -1, 2)


def rows(*trusts, score="pairwise Dice of the members"):
    return [{"case": f"case{index}", "trust": trust, "trust_score": score} for index, trust in enumerate(trusts)]


def reviews(text):
    return [row["review"] for row in csv.DictReader(io.StringIO(text))]


def test_the_least_trusted_tenth_is_sent_to_a_human():
    assert reviews(uncertainty_csv(rows(*(1 - i / 20 for i in range(10))), {})) == ["no"] * 9 + ["yes"]


def test_a_threshold_of_other_cases_decides_where_there_is_one():
    thresholds = {"pairwise Dice of the members": 0.8}
    assert reviews(uncertainty_csv(rows(0.7), thresholds)) == ["yes"]
    assert reviews(uncertainty_csv(rows(0.7, 0.6, 0.9), thresholds)) == ["yes", "yes", "no"]
    assert reviews(uncertainty_csv(rows(0.7, score="soft Dice confidence"), thresholds)) == ["no"]
