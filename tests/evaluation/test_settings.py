import math

import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.evaluation import EvaluationSettings, Structure, find_cases
from regionwise.evaluation.reading import read_pair

from .volumes import write_pairs

WRONG = [
    ({"num_classes": "abc"}, "expected --num_classes as an integer of at least 2"),
    ({"num_classes": 2.5}, "expected --num_classes as an integer"),
    ({"num_classes": 1}, "expected --num_classes as an integer of at least 2"),
    ({"classes": 5}, r"expected --classes as names or as \{label: name\}, got 5"),
    ({"classes": "RV,,LV"}, "expected --classes as names"),
    ({"classes": {1: "RV", 1.5: "x"}}, "expected labels in --classes as integers from 1 to 65535, got 1.5"),
    ({"classes": {1: "RV", -2: "x"}}, "integers from 1 to 65535, got -2"),
    ({"classes": {1: "RV", 3: 4}}, "expected --classes as names"),
    ({"classes": {1: "RV", "1": "x"}}, "label 1 has two names"),
    ({"regions": {"WT": []}}, r"expected --regions as a dataset or as \{name: \[labels\]\}"),
    ({"regions": {"WT": "abc"}}, "expected --regions as a dataset"),
    ({"regions": {"WT": ["a"]}}, "expected labels in --regions as integers"),
    ({"regions": {"WT": [1, 9]}, "classes": "RV,LV"}, "region 'WT' holds label 9; the labels are 1, 2"),
    ({"dataset": "acdc", "regions": "brats"}, "the regions of brats are not those of dataset 'acdc'"),
    ({"dataset": ["acdc"]}, "Unknown dataset"),
    ({"label_map": "abc"}, r"expected --label_map as \{old: new\}, got 'abc'"),
    ({"label_map": {1: "x"}}, "expected labels in --label_map as integers"),
    ({"label_map": {3: -1}}, "got -1"),
    ({"label_map": {3: 70000}}, "got 70000"),
    ({"lesions": 3}, "expected names of structures as --lesions, got 3"),
    ({"tubular": [3]}, "expected names of structures as --tubular"),
    ({"lesions": "foo"}, "Unknown structure 'foo'; name the structures with --classes"),
    ({"tubular": "LW", "classes": "RV,LV"}, "Unknown structure 'LW'; did you mean 'LV'"),
    ({"tubular": "foo", "regions": {"WT": [1]}}, "Unknown structure 'foo'"),
    ({"boundary_width_mm": "abc"}, "expected boundary_width_mm > 0, got abc"),
    ({"boundary_width_mm": True}, "expected boundary_width_mm > 0"),
    ({"boundary_width_mm": math.nan}, "expected boundary_width_mm > 0"),
    ({"tolerances_mm": (1, 2, 1)}, "expected each number of tolerances_mm once, got"),
    ({"tolerances_mm": (1, math.inf)}, "expected numbers >= 0 as tolerances_mm"),
    ({"detection_ml": "abc"}, "expected numbers >= 0 as detection_ml"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_invalid_options_raise(options, message):
    with pytest.raises(InputError, match=message):
        EvaluationSettings.from_options(**options)


def test_options_of_a_dataset():
    settings = EvaluationSettings.from_options("brats", regions="brats", lesions="WT", detection_ml=0.5)
    assert [one.name for one in settings.regions] == ["WT", "TC", "ET"]
    assert settings.label_map == {4: 3}
    assert (settings.lesions, settings.detection_ml) == (("WT",), (0.5,))
    assert EvaluationSettings.from_options(classes={0: "background", 2: "LV"}).classes == (Structure("LV", (2,)),)


def test_a_class_without_a_name_can_be_counted_by_lesion():
    assert EvaluationSettings.from_options(lesions="class 2").lesions == ("class 2",)


def read_mapped(tmp_path, values, label_map):
    array = np.array(values, np.uint8).reshape(-1, 1, 1) * np.ones((1, 3, 3), np.uint8)
    (case,), _ = find_cases(*write_pairs(tmp_path, {"a": (array, array)}))
    prediction, _ = read_pair(case, EvaluationSettings.from_options(label_map=label_map))
    return prediction.array[:, 0, 0].tolist()


def test_labels_are_replaced_all_at_once(tmp_path):
    assert read_mapped(tmp_path, [0, 1, 2], {1: 2, 2: 1}) == [0, 2, 1]
    assert read_mapped(tmp_path, [0, 1, 0], {1: 2, 2: 3}) == [0, 2, 0]
    assert read_mapped(tmp_path, [0, 3, 0], {3: 300}) == [0, 300, 0]


@pytest.mark.parametrize("label_map", [{4: 3}, {4: 5, 3: 5}])
def test_two_labels_that_would_become_one_raise(tmp_path, label_map):
    with pytest.raises(InputError, match=r"holds both [34] and [34], which the label map makes one class"):
        read_mapped(tmp_path, [3, 4], label_map)
