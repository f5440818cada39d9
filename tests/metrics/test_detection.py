from regionwise.metrics import detection_counts


def test_volumes_below_the_threshold_count_as_absent():
    prediction_ml, reference_ml = [5, 0, 0.4, 2, 0], [4, 3, 0, 0.5, 0]
    assert detection_counts(prediction_ml, reference_ml, 0) == {
        "threshold_ml": 0,
        "TP": 2,
        "FP": 1,
        "FN": 1,
        "TN": 1,
        "sensitivity": 2 / 3,
        "specificity": 1 / 2,
    }
    at_half = detection_counts(prediction_ml, reference_ml, 0.5)
    assert [at_half[name] for name in ("TP", "FP", "FN", "TN")] == [2, 0, 1, 2]
    above_half = detection_counts(prediction_ml, reference_ml, 0.51)
    assert [above_half[name] for name in ("TP", "FP", "FN", "TN")] == [1, 1, 1, 2]


def test_a_rate_over_no_image_does_not_exist():
    assert detection_counts([1], [1], 0)["specificity"] is None
    assert detection_counts([0], [0], 0)["sensitivity"] is None
    assert detection_counts([], [], 0)["TP"] == 0
