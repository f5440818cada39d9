import pytest
import torch
from ignite.engine import Engine
from regionwise.errors import InputError
from regionwise.losses import DeepSupervisionLoss, LossSchedule, make_loss, schedule_weights

from .test_region_wise import batch


def test_weights_by_epoch():
    assert schedule_weights("equal", 0) == schedule_weights("equal", 500) == (1, 1)
    assert schedule_weights("gradual", 0) == (1, 0)
    assert schedule_weights("gradual", 30) == pytest.approx((0.7, 0.3))
    assert schedule_weights("gradual", 99) == schedule_weights("gradual", 300) == pytest.approx((0.01, 0.99))
    with pytest.raises(InputError, match="Unknown schedule 'gradal'; did you mean 'gradual'"):
        schedule_weights("gradal", 0)


@pytest.mark.parametrize("other", ["dice", "ce"])
def test_gradual_moves_from_the_other_loss_to_the_region_wise_one(other):
    logits, labels = batch((2, 9, 9), 3)
    loss = make_loss(f"rrw+{other}:gradual")
    rrw, partner = make_loss("rrw")(logits, labels), make_loss(other)(logits, labels)
    for epoch, weight in ((0, 1.0), (25, 0.75), (1000, 0.01)):
        loss.epoch = epoch
        torch.testing.assert_close(loss(logits, labels), weight * partner + (1 - weight) * rrw)


def run(loss, epochs, state=None):
    """Train for some epochs; return the epochs the loss was told and the trainer's state."""
    seen = []
    trainer = Engine(lambda engine, _: seen.append(loss.loss.epoch))
    LossSchedule(loss).attach(trainer)
    if state is not None:
        trainer.load_state_dict(state)
    trainer.run([0], max_epochs=epochs)
    return seen, trainer.state_dict()


def test_the_trainers_epoch_drives_the_schedule_and_survives_a_resume():
    loss = DeepSupervisionLoss(make_loss("boundary+ce:gradual"))
    seen, state = run(loss, 3)
    assert seen == [0, 1, 2]
    resumed = DeepSupervisionLoss(make_loss("boundary+ce:gradual"))
    assert run(resumed, 6, state)[0] == [3, 4, 5]


def test_a_loss_without_a_schedule_is_left_alone():
    trainer = Engine(lambda engine, _: None)
    LossSchedule(make_loss("dice")).attach(trainer)
    trainer.run([0], max_epochs=2)
    assert trainer.state.epoch == 2


def test_losses_have_no_state_of_their_own():
    assert not make_loss("rrw+dice:gradual", class_weights=(1.0, 2.0)).state_dict()
