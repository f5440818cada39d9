"""The calibration loss: MONAI's metric, classes that are absent, and a gradient that pulls where it should."""

import pytest
import torch
from monai.metrics import CalibrationErrorMetric
from regionwise.errors import InputError
from regionwise.losses import make_loss
from regionwise.losses.calibration_error import CalibrationErrorLoss, average_calibration_error


def softmax_and_labels(seed=0, shape=(2, 3, 12, 10)):
    random = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(shape, generator=random)
    labels = torch.randint(0, shape[1], (shape[0], 1, *shape[2:]), generator=random)
    return logits, labels


@pytest.mark.parametrize("shape", [(2, 3, 12, 10), (1, 4, 6, 7, 8)])
def test_it_is_the_metric_of_monai(shape):
    logits, labels = softmax_and_labels(shape=shape)
    p, truth = logits.softmax(1), torch.nn.functional.one_hot(labels[:, 0], shape[1]).movedim(-1, 1).float()
    metric = CalibrationErrorMetric(num_bins=20, include_background=True, calibration_reduction="average")
    metric(y_pred=p, y=truth)
    found = average_calibration_error(p, truth)
    assert torch.allclose(found, metric.get_buffer().reshape(found.shape), atol=1e-5)
    assert float(CalibrationErrorLoss()(logits, labels)) == pytest.approx(float(found.mean()), abs=1e-6)


def test_a_class_that_is_absent_does_not_count():
    logits, labels = softmax_and_labels()
    labels[labels == 2] = 1
    truth = torch.nn.functional.one_hot(labels[:, 0], 3).movedim(-1, 1)
    expected = average_calibration_error(logits.softmax(1), truth)[:, :2].mean()
    assert float(CalibrationErrorLoss()(logits, labels)) == pytest.approx(float(expected), abs=1e-6)


def test_one_bin_by_hand():
    p = torch.full((1, 1, 10), 0.52)
    truth = torch.zeros(1, 1, 10)
    truth[..., :3] = 1
    assert float(average_calibration_error(p, truth)) == pytest.approx(0.22, abs=1e-6)


def test_too_sure_a_bin_is_pulled_down_and_too_unsure_a_one_up():
    p = torch.tensor([[[0.92] * 4 + [0.22] * 4]], requires_grad=True)
    truth = torch.tensor([[[1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]]])
    average_calibration_error(p, truth).sum().backward()
    assert p.grad.flatten().tolist() == pytest.approx([1 / 8] * 4 + [-1 / 8] * 4)


def test_calibrated_probabilities_cost_nothing():
    p = torch.full((1, 1, 100), 0.3)
    truth = (torch.arange(100) < 30).float().reshape(1, 1, 100)
    assert float(average_calibration_error(p, truth)) == pytest.approx(0, abs=1e-6)


def test_it_is_added_by_name():
    logits, labels = softmax_and_labels()
    loss = make_loss("dice_ce+ace")
    expected = make_loss("dice_ce")(logits, labels) + 0.3 * CalibrationErrorLoss()(logits, labels)
    assert float(loss(logits, labels)) == pytest.approx(float(expected), abs=1e-6)
    with pytest.raises(InputError, match="'focal\\+ace'"):
        make_loss("focal+ace")


def test_soft_labels_are_taken_as_they_are():
    logits, labels = softmax_and_labels()
    one_hot = torch.nn.functional.one_hot(labels[:, 0], 3).movedim(-1, 1).float()
    assert float(CalibrationErrorLoss(soft=True)(logits, one_hot)) == pytest.approx(
        float(CalibrationErrorLoss()(logits, labels)), abs=1e-6
    )
    assert float(CalibrationErrorLoss(soft=True)(logits, logits.softmax(1))) == pytest.approx(0, abs=1e-6)
