import csv
import json
import math

import numpy as np
import pytest
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.evaluation import Case, EvaluationSettings
from regionwise.evaluation.evaluate import evaluate, evaluate_cases
from regionwise.evaluation.structures import Structure

from .volumes import cube, write, write_pairs


def summary_of(out):
    def refuse(name):
        raise AssertionError(f"summary.json holds {name}, which is not JSON")

    return json.loads((out / "summary.json").read_text(), parse_constant=refuse)


def rows_of(out):
    return list(csv.DictReader((out / "cases.csv").open()))


def test_command_line(tmp_path, capsys):
    predictions, references = write_pairs(tmp_path, {"a": (cube(3), cube(2)), "b": (cube(2), cube(2))})
    out = tmp_path / "out"
    command = ["evaluate", "--predictions", str(predictions), "--references", str(references), "--out", str(out)]
    assert main([*command, "--classes", "LV", "--tolerances_mm", "1,2", "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].split() == ["LV", "0.875", "1.00", "2", "2", "0", "0", "0"]
    assert printed.splitlines()[-1] == f"report: {out / 'report.html'}"
    rows = rows_of(out)
    assert list(rows[0])[:6] == ["case", "structure", "status", "dice", "hd_mm", "hd95_mm"]
    assert [(row["case"], row["structure"], row["status"], float(row["dice"])) for row in rows] == [
        ("a", "LV", "TP", 0.75),
        ("b", "LV", "TP", 1),
    ]
    # One voxel along the first axis is 2 mm; a cube of 64 voxels of 2 mm3 is 0.128 ml.
    assert (float(rows[0]["hd_mm"]), float(rows[0]["volume_ml"])) == (2, 0.128)
    assert float(rows[0]["nsd_2mm"]) == 1
    found = summary_of(out)
    assert found["structures"]["LV"]["metrics"]["dice"]["mean"] == 0.875
    assert (found["n_cases"], found["skipped"], found["notes"]) == (2, [], [])
    assert found["about"] == {"predictions": "predictions", "references": "references"}
    assert "<html" in (out / "report.html").read_text()


def test_a_missed_case_makes_every_mean_worse(tmp_path):
    """MONAI issue 9095: one perfect and one missed case average to HD95 0 there."""
    empty = np.zeros((12, 12, 12), np.uint8)
    folders = write_pairs(tmp_path, {"good": (cube(2), cube(2)), "missed": (empty, cube(2))})
    evaluate(*folders, tmp_path / "out", classes="LV", workers=1)
    found = summary_of(tmp_path / "out")["structures"]["LV"]
    assert [found[name] for name in ("n", "TP", "FP", "FN", "TN")] == [2, 1, 0, 1, 0]
    diagonal_mm = math.hypot(24, 12, 12)
    assert found["metrics"]["hd95_mm"]["mean"] == pytest.approx(diagonal_mm / 2)
    assert found["metrics"]["dice"]["mean"] == 0.5


def test_a_class_that_no_mask_holds_has_no_number(tmp_path, capsys):
    folders = write_pairs(tmp_path, {"a": (cube(2), cube(2)), "b": (cube(3), cube(2))})
    evaluate(*folders, tmp_path / "out", classes="LV,RV", workers=1)
    found = summary_of(tmp_path / "out")
    assert [found["structures"]["RV"][name] for name in ("n", "TP", "FP", "FN", "TN")] == [0, 0, 0, 0, 2]
    assert set(found["structures"]["RV"]["metrics"].values()) == {None}
    assert found["notes"] == ["RV is in no reference and in no prediction: n = 0"]
    assert "RV is in no reference" in capsys.readouterr().out


def test_striped_predictions_are_told(tmp_path, capsys):
    whole = cube(2, side=8)
    striped = whole.copy()
    striped[:, :, 3::2] = 0
    evaluate(*write_pairs(tmp_path, {"a": (striped, whole)}), tmp_path / "out", classes="LV", workers=1)
    # 8 x 8 lines with 8 changes each, of which all but the last come back.
    line = (
        "striped predictions, as a checkerboard: 88% of their label changes along axis 2 come back one voxel later "
        "(references: 0%)"
    )
    assert summary_of(tmp_path / "out")["notes"] == [line]
    assert line in capsys.readouterr().out and line in (tmp_path / "out" / "report.html").read_text()


def test_references_of_thin_structures_are_no_stripes(tmp_path):
    thin = cube(2, side=8)
    thin[:, :, 3::2] = 0
    evaluate(*write_pairs(tmp_path, {"a": (thin, thin)}), tmp_path / "out", classes="LV", workers=1)
    assert summary_of(tmp_path / "out")["notes"] == []


def test_a_class_absent_from_both_masks_of_one_case_counts_as_right(tmp_path):
    both = cube(2) + cube(7, label=2)
    folders = write_pairs(tmp_path, {"a": (cube(2), cube(2)), "b": (both, both)})
    evaluate(*folders, tmp_path / "out", workers=1)
    second = summary_of(tmp_path / "out")["structures"]["class 2"]
    assert (second["n"], second["TN"], second["metrics"]["dice"]["mean"]) == (2, 1, 1)
    assert [(row["case"], row["structure"], row["status"]) for row in rows_of(tmp_path / "out")] == [
        ("a", "class 1", "TP"),
        ("a", "class 2", "TN"),
        ("b", "class 1", "TP"),
        ("b", "class 2", "TP"),
    ]


def test_regions_and_label_map(tmp_path):
    labels = cube(2) + cube(6, label=4)
    folders = write_pairs(tmp_path, {"a": (labels, labels), "b": (cube(2), labels)})
    evaluate(*folders, tmp_path / "out", regions="brats", workers=1)
    found = summary_of(tmp_path / "out")
    assert list(found["structures"]) == ["necrotic core", "edema", "enhancing tumor", "WT", "TC", "ET"]
    assert found["label_map"] == {"4": 3}
    # b finds one of two cubes: Dice of the whole tumor 2 * 64 / (64 + 128).
    row = next(row for row in rows_of(tmp_path / "out") if (row["case"], row["structure"]) == ("b", "WT"))
    assert float(row["dice"]) == pytest.approx(2 / 3)
    assert found["structures"]["ET"]["FN"] == 1


def test_groups_are_reported_by_themselves(tmp_path):
    cases = [
        Case(
            f"p{i}_{group}",
            write(tmp_path, f"p{i}{group}", cube(2 + shift)),
            write(tmp_path, f"r{i}{group}", cube(2)),
            group,
        )
        for i in range(2)
        for group, shift in (("ED", 0), ("ES", 1))
    ]
    settings = EvaluationSettings(classes=(Structure("LV", (1,)),))
    found = evaluate_cases(cases, tmp_path / "out", settings, workers=1)
    assert found["groups"]["ED"]["LV"]["metrics"]["dice"]["mean"] == 1
    assert found["groups"]["ES"]["LV"]["metrics"]["dice"]["mean"] == 0.75
    assert found["structures"]["LV"]["n"] == 4
    assert [row["group"] for row in rows_of(tmp_path / "out")] == ["ED", "ES", "ED", "ES"]
    of_one = evaluate_cases(cases[::2], tmp_path / "ED", settings, workers=1)
    assert of_one["groups"] == {}  # it would say all of it twice


def test_paper_protocol_looks_at_labeled_slices_only(tmp_path):
    prediction = cube(2) + cube(8)  # the second cube lies in slices without a label
    folders = write_pairs(tmp_path, {"a": (prediction, cube(2))})
    evaluate(*folders, tmp_path / "full", workers=1)
    evaluate(*folders, tmp_path / "paper", protocol="paper", workers=1)
    assert float(rows_of(tmp_path / "full")[0]["dice"]) == pytest.approx(2 / 3)
    assert float(rows_of(tmp_path / "paper")[0]["dice"]) == 1
    assert summary_of(tmp_path / "paper")["protocol"]["name"] == "paper"
    assert "Protocol <strong>paper</strong>" in (tmp_path / "paper" / "report.html").read_text()


def test_optional_measures(tmp_path):
    folders = write_pairs(tmp_path, {"a": (cube(2) + cube(8), cube(2))})
    evaluate(
        *folders, tmp_path / "out", classes="LV,RV", lesions="LV", tubular="LV", boundary_width_mm=2, error_maps=True,
        workers=1,
    )  # fmt: skip
    left, right = rows_of(tmp_path / "out")
    assert (float(left["lesions_found"]), float(left["lesions_false"])) == (1, 1)
    assert float(left["lesion_count_difference"]) == 1
    assert 0 < float(left["center_line_dice"]) < 1
    assert 0 < float(left["boundary_iou"]) < 1
    assert (right["lesions_found"], right["center_line_dice"]) == ("", "")
    found = summary_of(tmp_path / "out")
    assert found["structures"]["RV"]["metrics"]["lesion_f1"] is None
    assert "26 neighbors" in found["definitions"]["lesions"]
    assert found["definitions"]["boundary_iou"].endswith("2 mm")


def test_detection_thresholds(tmp_path):
    speck = np.zeros((12, 12, 12), np.uint8)
    speck[0, 0, 0] = 1
    folders = write_pairs(tmp_path, {"a": (speck, np.zeros_like(speck)), "b": (cube(2), cube(2))})
    evaluate(*folders, tmp_path / "out", classes="LV", detection_ml=(0, 0.01), workers=1)
    every, large = summary_of(tmp_path / "out")["detection"]["LV"]
    assert (every["FP"], every["specificity"]) == (1, 0)
    assert (large["FP"], large["TN"], large["specificity"]) == (0, 1, 1)


def test_two_dimensional_images_and_single_slices(tmp_path):
    flat = np.zeros((12, 12), np.uint8)
    flat[2:7, 2:7] = 1
    hollow = flat.copy()
    hollow[4, 4] = 0
    slices = [array[..., None] for array in (hollow, flat)]
    folders = write_pairs(tmp_path, {"plane": (hollow, flat), "slice": tuple(slices)})
    evaluate(*folders, tmp_path / "out", classes="LV", workers=1)
    plane, slab = rows_of(tmp_path / "out")
    # The hole's wall is 1 pixel of 1 mm or 2 mm from the ring; a slice is measured like the plane it is.
    assert plane["hd_mm"] == slab["hd_mm"] == "2"
    assert plane["volume_ml"] == slab["volume_ml"]


def test_workers_give_the_same_files_in_the_same_order(tmp_path):
    rng = np.random.default_rng(0)
    pairs = {f"c{i}": (cube(int(rng.integers(1, 7))), cube(2)) for i in range(5)}
    folders = write_pairs(tmp_path, pairs)
    evaluate(*folders, tmp_path / "one", workers=1)
    evaluate(*folders, tmp_path / "two", workers=2)
    for name in ("cases.csv", "summary.json", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_probabilities(tmp_path):
    labels = cube(2)
    p = np.where(labels == 1, 0.8, 0.1)
    folders = write_pairs(tmp_path, {"a": (labels, labels)})
    write(tmp_path / "probabilities", "a", np.stack([1 - p, p], axis=-1).astype(np.float32))
    evaluate(*folders, tmp_path / "out", probabilities=tmp_path / "probabilities", workers=1)
    row = rows_of(tmp_path / "out")[0]
    assert float(row["ece"]) == pytest.approx((64 * 0.2 + 1664 * 0.1) / 1728, rel=1e-5)
    assert float(row["expected_volume_ml"]) == pytest.approx(0.002 * (64 * 0.8 + 1664 * 0.1), rel=1e-5)
    assert float(row["expected_volume_error_ml"]) == pytest.approx(0.002 * (64 * 0.8 + 1664 * 0.1 - 64), rel=1e-5)
    found = summary_of(tmp_path / "out")["calibration"]
    assert found["top_label"]["ece_pooled"] == pytest.approx((64 * 0.2 + 1664 * 0.1) / 1728, rel=1e-5)
    assert found["brier_multi_class"] == pytest.approx(2 * (64 * 0.04 + 1664 * 0.01) / 1728, rel=1e-5)
    assert "Reliability diagram of class 1" in (tmp_path / "out" / "report.html").read_text()


def test_settings_refuse_what_cannot_be_measured():
    with pytest.raises(InputError, match="Unknown protocol 'papr'; did you mean 'paper'"):
        EvaluationSettings(protocol="papr")
    with pytest.raises(InputError, match="expected numbers >= 0 as tolerances_mm"):
        EvaluationSettings(tolerances_mm=("wide",))
    with pytest.raises(InputError, match="two structures are called 'LV'"):
        EvaluationSettings(classes=(Structure("LV", (1,)),), regions=(Structure("LV", (1, 2)),))
    with pytest.raises(InputError, match="Unknown structure 'RW'; did you mean 'RV'"):
        EvaluationSettings(classes=(Structure("RV", (1,)),), lesions=("RW",))
