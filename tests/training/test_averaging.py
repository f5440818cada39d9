"""Averaged weights: the recursion by hand, what uses them, and two processes that keep the same."""

import pytest
import torch
from ignite.engine import Events
from regionwise.errors import InputError
from regionwise.training import AveragedWeights, WeightAveraging
from regionwise.training.averaging import warmed_up_decay
from torch import nn

from .engines import make_network, make_trainer


def test_the_average_is_the_recursion_with_a_decay_that_warms_up():
    network = make_network()
    averaging, expected = AveragedWeights(network, decay=0.15), None

    class Note:
        def attach(self, engine):
            engine.add_event_handler(Events.ITERATION_COMPLETED, self)

        def __call__(self, engine):
            nonlocal expected
            weights, count = network[0].weight.detach().clone(), engine.state.iteration - 1
            decay = min(0.15, (1 + count) / (10 + count))
            expected = weights if expected is None else decay * expected + (1 - decay) * weights

    make_trainer(3, [Note(), WeightAveraging(averaging)], network).run()
    assert torch.allclose(averaging.network[0].weight, expected, atol=1e-7)
    assert not torch.allclose(averaging.network[0].weight, network[0].weight)


@pytest.mark.parametrize(("count", "decay"), [(0, 0.1), (1, 2 / 11), (8, 0.5), (890, 0.99), (10**6, 0.99)])
def test_the_decay_warms_up_to_its_largest_value(count, decay):
    assert warmed_up_decay(0.99, count) == pytest.approx(decay)


def test_training_is_the_same_with_and_without_an_average():
    plain, watched = make_network(), make_network()
    make_trainer(2, [], plain).run()
    make_trainer(2, [WeightAveraging(AveragedWeights(watched))], watched).run()
    assert torch.equal(plain[0].weight, watched[0].weight)


def test_without_averaging_the_trained_network_is_validated_and_saved():
    network = make_network()
    averaging = AveragedWeights(network, decay=0)
    make_trainer(1, [WeightAveraging(averaging)], network).run()
    assert averaging.network is network
    assert averaging.state_dict() == {}
    averaging.load_state_dict({})


@pytest.mark.parametrize("decay", [-0.1, 1, 2, float("nan")])
def test_a_decay_that_averages_nothing_or_everything_is_refused(decay):
    with pytest.raises(InputError, match=r"expected --ema_decay from 0 \(off\) to below 1, found"):
        AveragedWeights(make_network(), decay)


def test_buffers_are_those_of_the_trained_network():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    averaging = AveragedWeights(network, 0.9)
    make_trainer(1, [WeightAveraging(averaging)], network).run()
    assert torch.equal(averaging.network[0].running_mean, network[0].running_mean)
