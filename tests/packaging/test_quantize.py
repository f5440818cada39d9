import pytest
import torch
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.packaging.quantize import Comparison, calibration_batches, compare

from ..run_bundles.running import ROOT

BUNDLE = ROOT / "bundles" / "hippocampus_rrw"


@pytest.mark.parametrize(
    ("mean", "worst", "speedup", "offered"),
    [
        (0.001, 0.005, 2.0, True),
        (0.002, 0.01, 1.5, True),
        (0.003, 0.005, 2.0, False),
        (0.001, 0.02, 2.0, False),
        (0.001, 0.005, 1.4, False),
        (-0.01, -0.001, 1.6, True),
    ],
)
def test_it_is_offered_only_if_all_three_limits_hold(mean, worst, speedup, offered):
    assert Comparison(40, mean, worst, speedup).is_offered is offered


def cases():
    label = torch.zeros(1, 4, 4)
    label[0, :2] = 1
    return [{"image": label.clone(), "label": label}, {"image": label.clone(), "label": label}]


def whole(image, network):
    return network(image)


def right(image):
    return torch.cat([-image, image], 1)


def nothing(image):
    return torch.cat([torch.ones_like(image), image * 0], 1)


def test_the_loss_is_in_dice_per_case():
    found = compare([right, nothing], iter(cases()), whole)
    assert (found.cases, found.mean_loss, found.worst_loss) == (2, 1, 1)
    assert compare([right, right], iter(cases()), whole).mean_loss == 0
    with pytest.raises(InputError, match="expected cases to measure int8 on, found none"):
        compare([right, right], iter([]), whole)


def test_calibration_takes_as_many_cases_as_it_needs():
    assert len(calibration_batches(iter(cases()), whole, torch.nn.Identity(), 1)) == 1
    assert len(calibration_batches(iter(cases()), whole, torch.nn.Identity(), 9)) == 2
    with pytest.raises(InputError, match="expected cases to calibrate int8 on, found none"):
        calibration_batches(iter([]), whole, torch.nn.Identity(), 9)


@pytest.mark.slow
def test_a_network_is_quantized_or_refused_with_the_figure(trained, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    run = trained("hippocampus")
    words = ["--model", str(BUNDLE), "--dir", str(run.data), "--out", str(tmp_path / "out"), "--folds", "2"]
    words += ["--checkpoint", str(run.folder / "model.pt"), "--network", str(run.folder / "network.json")]
    status = main(["quantize", *words, "--cases", "1", "--calibration", "2"])
    printed = capsys.readouterr()
    if status:
        assert printed.err.startswith("error: int8 is not offered: mean Dice loss ")
        assert not (tmp_path / "out").exists()
    else:
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"model_int8.onnx", "model_int8.json"}


def test_wrong_options_are_one_line(tmp_path, capsys):
    assert main(["quantize", "--model", str(tmp_path), "--dir", "x", "--out", str(tmp_path / "out")]) == 1
    assert "expected a bundle in" in capsys.readouterr().err
    assert main(["quantize", "--model", str(BUNDLE), "--dir", "x", "--out", "y", "--threads", "0"]) == 1
    assert "expected --threads to be an integer >= 1, found 0" in capsys.readouterr().err
