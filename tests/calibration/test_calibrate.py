"""The command: what it finds in simulated cases, what it writes, and what it refuses."""

import json
from hashlib import sha256

import numpy as np
import pytest
import torch
from regionwise.calibration.calibrate import calibrate
from regionwise.calibration.record import calibrator_of, margin_of, read_record
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.nifti import write_volume
from scipy import ndimage

AFFINE = np.diag([2.0, 1.0, 1.0, 1.0])
N = 12


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Return cases whose labels are drawn from known logits and whose probabilities are three times as sure."""
    root = tmp_path_factory.mktemp("calibration")
    random = np.random.default_rng(0)
    for index in range(N):
        smooth = [ndimage.gaussian_filter(random.normal(size=(20, 20, 16)), 2) for _ in range(3)]
        logits = torch.from_numpy(np.stack(smooth)) * 15 + torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1, 1)
        true = torch.distributions.Categorical(logits.softmax(0).movedim(0, -1))
        torch.manual_seed(index)
        p = (3 * logits).softmax(0).float()
        for folder, array in (
            ("references", true.sample().numpy().astype(np.uint8)),
            ("predictions", p.argmax(0).numpy().astype(np.uint8)),
            ("probabilities", p.movedim(0, -1).numpy()),
        ):
            write_volume(root / folder / f"case{index:02}.nii.gz", array, AFFINE)
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 3, 1))
    (root / "run").mkdir()
    torch.save(network.state_dict(), root / "run" / "model.pt")
    (root / "run" / "network.json").write_text("{}")
    return root


def run(cases, out, **options):
    options = {"classes": "A,B", "probabilities": str(cases / "probabilities")} | options
    calibrate(str(cases / "predictions"), str(cases / "references"), str(out), **options)
    return read_record(out / "calibration.json")


def test_temperature_scores_and_margins(cases, tmp_path, capsys):
    record = run(cases, tmp_path)
    assert record["scaling"]["temperature"] == pytest.approx([3] * 3, rel=0.03)
    for structure in ("A", "B"):
        before, after = (record["calibration"][way][structure] for way in ("before", "after"))
        for key in ("ace", "ece", "nll", "brier"):
            assert after[key] < before[key], key
        assert after["ace_pooled"] < 0.02 < before["ace_pooled"]
        assert after["ace"] == pytest.approx(after["ace_by_chance"], rel=0.25)  # nothing but chance is left
        assert after["dice"] == before["dice"] > 0
        outer, inner = margin_of(record, structure)
        assert outer > 0
        assert inner > 0
    assert record["margins_mm"]["floor"] == pytest.approx(1 / (N + 1))
    assert 0 < record["trust"]["thresholds"]["soft Dice confidence"] < 1
    printed = capsys.readouterr().out
    assert "temperature 3.0" in printed or "temperature 2.9" in printed
    assert "12 patients, none below 7.7% could be promised" in printed
    page = (tmp_path / "calibration.html").read_text()
    assert "Reliability diagram of A, after" in page
    assert "at least 95 % of the structure in at least 90 % of further patients like these 12" in page


def test_the_lead_of_the_most_probable_class(cases, tmp_path):
    record = run(cases, tmp_path, method="lead")
    assert record["scaling"]["values"][-1] < record["scaling"]["leads"][-1]
    calibrator = calibrator_of(record)
    assert calibrator.leads == tuple(record["scaling"]["leads"])
    for structure in ("A", "B"):
        before, after = (record["calibration"][way][structure] for way in ("before", "after"))
        assert after["ace_pooled"] < 0.02 < before["ace_pooled"]
    assert "Method lead: lead of the most probable class" in (tmp_path / "calibration.html").read_text()


@pytest.mark.parametrize(
    ("method", "described"),
    [("isotonic", "a rising function per class, "), ("local", "temperature per voxel, of 6 weights")],
)
def test_methods_that_no_layer_can_hold_keep_labels(cases, tmp_path, method, described):
    record = run(cases, tmp_path, method=method)
    for structure in ("A", "B"):
        before, after = (record["calibration"][way][structure] for way in ("before", "after"))
        assert after["dice"] == before["dice"]
        assert after["ace_pooled"] < before["ace_pooled"]
        assert after["nll"] < before["nll"]
    p = torch.softmax(3 * torch.randn(3, 6, 6, 6, generator=torch.Generator().manual_seed(0)), 0)
    scaled = calibrator_of(record).scale_probabilities(p)
    assert (scaled.argmax(0) == p.argmax(0)).all()
    assert not torch.allclose(scaled, p, atol=0.01)
    assert f"Method {method}: {described}" in (tmp_path / "calibration.html").read_text()


def test_what_the_weights_hold_is_not_done_again(cases, tmp_path):
    assert calibrator_of(None) is None
    record = run(cases, tmp_path)
    assert calibrator_of(record).temperature == tuple(record["scaling"]["temperature"])
    assert calibrator_of(record | {"weights_sha256": "0"}) is None


def test_scaled_weights_lie_beside_their_network(cases, tmp_path):
    record = run(cases, tmp_path, checkpoint=str(cases / "run" / "model.pt"), output_layer="0")
    before = torch.load(cases / "run" / "model.pt", weights_only=True)
    after = torch.load(tmp_path / "model.pt", weights_only=True)
    temperature = record["scaling"]["temperature"][0]
    assert torch.allclose(after["0.weight"] * temperature, before["0.weight"], atol=1e-6)
    assert (tmp_path / "network.json").read_text() == "{}"
    assert len(record["weights_sha256"]) == 64


def test_weights_that_cannot_hold_it_lie_beside_it_unchanged(cases, tmp_path):
    record = run(cases, tmp_path, checkpoint=str(cases / "run" / "model.pt"), method="isotonic")
    before = torch.load(cases / "run" / "model.pt", weights_only=True)
    after = torch.load(tmp_path / "model.pt", weights_only=True)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert record["weights_sha256"] == sha256((cases / "run" / "model.pt").read_bytes()).hexdigest()
    assert calibrator_of(record).knots == tuple(record["scaling"]["knots"])


def test_margins_need_no_probabilities(cases, tmp_path):
    record = run(cases, tmp_path, probabilities=None)
    assert record["scaling"] is None
    assert record["margins_mm"]["structures"]["A"]["outer"] > 0
    assert not (tmp_path / "calibration.html").exists()


def test_the_threshold_of_another_score(cases, tmp_path):
    rows = "".join(f"case{index:02},{index / 10},pairwise Dice\n" for index in range(N))
    (tmp_path / "uncertainty.csv").write_text("case,trust,trust_score\n" + rows)
    record = run(cases, tmp_path / "out", uncertainty=str(tmp_path / "uncertainty.csv"))
    assert record["trust"]["thresholds"]["pairwise Dice"] == 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.05}, "expected at least 19 patients for alpha 0.05, found 12"),
        ({"classes": None}, "needs the names of the structures: pass --classes or --dataset"),
        ({"method": "temperatur"}, "Unknown --method 'temperatur'; did you mean 'temperature'"),
        ({"checkpoint": "none.pt"}, "expected a checkpoint at none.pt, not found"),
        ({"probabilities": None, "checkpoint": "none.pt"}, "needs the --probabilities that they gave"),
    ],
)
def test_bad_options_write_nothing(cases, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(cases, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_files_are_not_replaced_unasked(cases, tmp_path):
    run(cases, tmp_path, probabilities=None)
    with pytest.raises(
        InputError, match=r"calibration.json is there already; choose another --out, or pass --overwrite"
    ):
        run(cases, tmp_path, probabilities=None)
    run(cases, tmp_path, probabilities=None, overwrite=True)


def test_the_command_line(cases, tmp_path, capsys):
    words = ["--predictions", cases / "predictions", "--references", cases / "references", "--classes", "A,B"]
    assert main(["calibrate", *map(str, words), "--out", str(tmp_path), "--alpha", "0.2"]) == 0
    assert "in 80% of patients" in capsys.readouterr().out
    assert main(["calibrate", *map(str, words), "--out", str(tmp_path / "b"), "--alpha", "0.01"]) == 1
    assert "error: expected at least 99 patients" in capsys.readouterr().err


def test_a_record_that_is_none(tmp_path):
    (tmp_path / "calibration.json").write_text(json.dumps({"scaling": None}))
    with pytest.raises(InputError, match=r"expected the keys scaling, margins_mm, .* in .*calibration.json"):
        read_record(tmp_path / "calibration.json")
    record = {"margins_mm": {"structures": {"A": {"outer": None, "inner": 1.0}}}}
    with pytest.raises(InputError, match="no margin was enough for 'A'"):
        margin_of(record, "A")
    with pytest.raises(InputError, match="the calibration has no margin for 'B'"):
        margin_of(record, "B")
