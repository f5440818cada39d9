"""When a run validates and stops, what it refuses, and what it records."""

import json
import time

import pytest
import torch
from ignite.engine import Events
from monai.engines.utils import IterationEvents
from monai.handlers import LrScheduleHandler, MLFlowHandler
from regionwise.errors import InputError
from regionwise.training import (
    EarlyStopping,
    FiniteLoss,
    GradientClipping,
    RunRecord,
    TimeBudget,
    ValidationHandler,
    train_loss,
)
from torch import nn

from .engines import make_evaluator, make_network, make_trainer


def epochs_of(trainer, event, *on):
    """Note the trainer's epoch whenever the event happens on another engine (or on itself)."""
    epochs = []
    (on[0] if on else trainer).add_event_handler(event, lambda: epochs.append(trainer.state.epoch))
    return epochs


@pytest.mark.parametrize(
    ("interval", "epochs", "validated"),
    [(1, 3, [1, 2, 3]), (2, 4, [2, 4]), (2, 5, [2, 4, 5]), (9, 3, [3]), (3, 1, [1])],
)
def test_the_last_epoch_is_always_validated_and_none_twice(interval, epochs, validated):
    evaluator = make_evaluator()
    trainer = make_trainer(epochs, [ValidationHandler(interval, evaluator)])
    found = epochs_of(trainer, Events.COMPLETED, evaluator)
    trainer.run()
    assert found == validated


def test_gradients_are_clipped_together_between_backward_and_the_step():
    network = make_network()
    norms, scale = [], 1e4

    class Note:
        def attach(self, engine):
            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, lambda: norms.append(norm()))

    def norm():
        return float(torch.linalg.vector_norm(torch.cat([weight.grad.ravel() for weight in network.parameters()])))

    trainer = make_trainer(
        1,
        [Note(), GradientClipping(0.5), Note()],
        network,
        loss_function=lambda *pair: scale * nn.functional.mse_loss(*pair),
    )
    trainer.run()
    assert norms[0] > 0.5 and norms[1] == pytest.approx(0.5, rel=1e-4)


def test_small_gradients_are_left_alone():
    network, untouched = make_network(), make_network()
    make_trainer(1, [GradientClipping(1e6)], network).run()
    make_trainer(1, [], untouched).run()
    assert torch.equal(network[0].weight, untouched[0].weight)


@pytest.mark.parametrize("max_norm", [0, -1, float("nan")])
def test_a_norm_that_clips_everything_is_refused(max_norm):
    with pytest.raises(InputError, match="expected max_norm > 0 for gradient clipping, found"):
        GradientClipping(max_norm)


class LossThatBecomes(nn.Module):
    """Mean squared error, and another value from one iteration on."""

    def __init__(self, value, iteration):
        super().__init__()
        self.value, self.left = value, iteration

    def forward(self, prediction, label):
        self.left -= 1
        loss = nn.functional.mse_loss(prediction, label)
        return loss * self.value if self.left <= 0 else loss


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(("interval", "found"), [(1, (2, 3)), (3, (2, 3)), (10, (2, 4))])
def test_a_loss_that_is_not_finite_ends_the_run(value, interval, found):
    saved = []
    trainer = make_trainer(5, [FiniteLoss(interval)], loss_function=LossThatBecomes(value, 3))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: saved.append(engine.state.epoch))
    # An infinite loss makes the weights, and with them the next losses, NaN.
    message = (
        rf"^the loss became (nan|inf) in epoch {found[0]}, iteration {found[1]}; lower --learning_rate .*last\.pt$"
    )
    with pytest.raises(InputError, match=message):
        trainer.run()
    assert saved == [1]  # what was attached later, such as the checkpoints, did not see the bad epoch


def test_a_finite_loss_ends_nothing():
    trainer = make_trainer(3, [FiniteLoss(1)])
    trainer.run()
    assert trainer.state.epoch == 3


def test_the_loss_is_read_from_decollated_and_whole_outputs():
    whole = {"loss": torch.tensor(2.0, requires_grad=True)}
    assert float(train_loss(whole)) == 2
    assert not train_loss(whole).requires_grad
    assert float(train_loss([{"loss": 3.0}, {"loss": 3.0}])) == 3


class Clock:
    """A clock that each epoch moves by its duration."""

    def __init__(self, monkeypatch, minutes):
        self.now, self.minutes = 1000.0, iter(minutes)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def attach(self, engine):
        engine.add_event_handler(Events.EPOCH_STARTED, self.tick)

    def tick(self, engine):
        self.now += 60 * next(self.minutes)


@pytest.mark.parametrize(
    ("budget", "minutes", "epochs"),
    [
        (10, [3] * 9, 3),  # after 9 minutes another 3 would not fit
        (9, [3] * 9, 3),
        (10, [1, 4, 1, 1, 1, 1], 4),  # 7 minutes and the longest so far, 4, are more than 10
        (1, [5] * 9, 1),  # one epoch is always trained
        (100, [3] * 9, 9),
    ],
)
def test_a_run_ends_with_the_last_epoch_that_fits_and_validates_it(monkeypatch, budget, minutes, epochs):
    evaluator = make_evaluator()
    handlers = [Clock(monkeypatch, minutes), TimeBudget(budget), ValidationHandler(20, evaluator)]
    trainer = make_trainer(len(minutes), handlers)
    validated = epochs_of(trainer, Events.COMPLETED, evaluator)
    trainer.run()
    assert trainer.state.epoch == epochs
    assert validated == [epochs]


def test_without_a_budget_there_is_no_limit(monkeypatch):
    trainer = make_trainer(3, [Clock(monkeypatch, [1e6] * 3), TimeBudget(None)])
    trainer.run()
    assert trainer.state.epoch == 3


@pytest.mark.parametrize("minutes", [0, -5, float("nan")])
def test_a_budget_of_nothing_is_refused(minutes):
    with pytest.raises(InputError, match="expected max_minutes > 0, found"):
        TimeBudget(minutes)


@pytest.mark.parametrize(
    ("interval", "patience", "dice", "last"),
    [
        (1, 2, [0.1, 0.5, 0.4, 0.3, 0.2, 0.1], 4),
        (1, 1, [0.1, 0.2, 0.3, 0.3, 0.9], 4),  # the same value again is no improvement
        (1, None, [0.5, 0.1, 0.1, 0.1], 4),
        (1, 9, [0.5, 0.1, 0.1, 0.1], 4),
        (2, 1, [0.1, 0.2, 0.1, 0.9], 6),  # validated in epochs 2, 4, 6: an epoch without a validation ends nothing
        (2, 3, [0.5, 0.4, 0.3, 0.2], 6),
    ],
)
def test_a_run_stops_when_validations_stop_improving(interval, patience, dice, last):
    evaluator = make_evaluator(dice)
    handlers = [ValidationHandler(interval, evaluator), EarlyStopping(evaluator, patience)]
    trainer = make_trainer(interval * len(dice), handlers)
    trainer.run()
    assert trainer.state.epoch == last
    assert evaluator.state.best_metric == max(dice[: last // interval])


def test_the_learning_rate_of_a_stopped_run_has_stepped_once_an_epoch():
    network = make_network()
    optimizer = torch.optim.SGD(network.parameters(), 1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    evaluator = make_evaluator([0.5, 0.4, 0.3])
    handlers = [
        ValidationHandler(1, evaluator),
        EarlyStopping(evaluator, 1),
        LrScheduleHandler(scheduler, print_lr=False),
    ]
    make_trainer(3, handlers, network, optimizer=optimizer).run()
    assert optimizer.param_groups[0]["lr"] == 0.25


class Tracker(MLFlowHandler):
    """MONAI's handler with a client that keeps what it is given."""

    def __init__(self):
        self.experiment_param, self.artifacts, self.logged = {"mine": 1}, (None,), {}

    def start(self, engine):
        self.logged |= self.experiment_param

    def attach(self, engine):
        engine.add_event_handler(Events.STARTED, self.start)


def test_settings_and_records_go_to_mlflow(tmp_path):
    """Its handler comes last, as ``--tracking mlflow`` puts it."""
    tracker, settings = Tracker(), {"loss": "rrw", "seed": 0, "train#datalist#dataset": "msd"}
    trainer = make_trainer(1, [RunRecord(tmp_path, {}, settings), tracker])
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: engine.terminate())
    trainer.run()
    assert tracker.logged == {"dataset": "msd", "loss": "rrw", "seed": 0, "mine": 1}
    assert tracker.artifacts == (str(tmp_path / "network.json"), str(tmp_path / "run.json"))


def test_a_run_records_itself_before_it_trains(tmp_path):
    network = {"network_def": {"_target_": "UNet"}, "patch_size": [8, 16]}
    settings = {"loss": "rrw", "seed": 0, "train#datalist#dataset": "msd"}
    trainer = make_trainer(1, [RunRecord(tmp_path / "run", network, settings)])
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: engine.terminate())
    trainer.run()
    assert json.loads((tmp_path / "run" / "network.json").read_text()) == network
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run["dataset"], run["loss"], run["seed"], run["network"]) == ("msd", "rrw", 0, network)
    assert run["settings"] == {"train#datalist#dataset": "msd"}
    assert run["versions"].keys() == {"regionwise", "monai", "torch"}
    assert run["versions"]["torch"] == torch.__version__
