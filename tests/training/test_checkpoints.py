"""Checkpoints: what loads, what is refused in one line, and that a resumed run is the run it resumes."""

import pickle

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ignite.engine import Events
from monai.handlers import LrScheduleHandler
from monai.networks.nets import DynUNet
from regionwise.data.sampler import StreamSampler
from regionwise.errors import InputError
from regionwise.precision import Precision
from regionwise.training import AveragedWeights, Checkpoints, ValidationHandler, WeightAveraging, train_loss
from regionwise.training import checkpoints as module
from regionwise.weights import inference_weights, load_checkpoint, load_weights, mismatch
from torch import nn
from torch.utils.data import DataLoader

from .engines import Numbers, make_evaluator, make_network, make_trainer


def dynunet(deep_supervision, spatial_dims=2, seed=0):
    torch.manual_seed(seed)
    supervision = {"deep_supervision": True, "deep_supr_num": 2} if deep_supervision else {}
    return DynUNet(spatial_dims, 1, 3, [3] * 5, [1, 2, 2, 2, 2], [2] * 4, filters=[4, 4, 6, 6, 8], **supervision)


@pytest.mark.parametrize("spatial_dims", [2, 3])
@torch.no_grad()
def test_weights_for_inference_are_those_of_the_network_without_heads(spatial_dims):
    trained = dynunet(True, spatial_dims).eval()
    weights = inference_weights(trained.state_dict())
    assert len(weights) < len(trained.state_dict())
    plain = dynunet(False, spatial_dims, seed=1)
    plain.load_state_dict(weights, strict=True)
    image = torch.randn(1, 1, *[32] * spatial_dims)
    assert torch.equal(plain.eval()(image), trained(image))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrapped_networks_are_removed(prefix):
    state = dynunet(True).state_dict()
    wrapped = {prefix + name: value for name, value in state.items()}
    assert inference_weights(wrapped).keys() == inference_weights(state).keys()


def test_weights_and_the_last_state_of_a_run_both_load(tmp_path):
    trained = dynunet(True)
    torch.save(inference_weights(trained.state_dict()), tmp_path / "model.pt")
    torch.save({"network": trained.state_dict(), "epoch": 3}, tmp_path / "last.pt")
    for name in ("model.pt", "last.pt"):
        network = load_weights(dynunet(False, seed=1), tmp_path / name)
        assert mismatch(network.state_dict(), inference_weights(trained.state_dict())) == ""
        assert all(torch.equal(value, trained.state_dict()[key]) for key, value in network.state_dict().items())


class Evil:
    def __reduce__(self):
        return print, ("run by unpickling",)


BAD = {
    r"expected a checkpoint at .*a\.pt, not found; train first or pass --checkpoint FILE": None,
    r"a\.pt is not a readable checkpoint of tensors \(": b"half a file",
    r"expected the weights of a network in .*a\.pt, found list": [torch.ones(2)],
    r"expected the weights of a network in .*a\.pt, found dict": {"a": 1},
    r"does not fit the network: 1 weights differ in shape, first 0\.weight: expected \(4, 3\), found \(4, 2\); "
    r"pass the run's network settings with --args_file RUN/network\.json": {
        **make_network().state_dict(),
        "0.weight": torch.ones(4, 2),
    },
    r"does not fit the network: 0 weights are missing and 1 unknown, first more": {
        **make_network().state_dict(),
        "more": torch.ones(1),
    },
    r"does not fit the network: 4 weights are missing and 0 unknown, first 0\.weight": {},
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_load_is_one_line(tmp_path, message):
    path, content = tmp_path / "a.pt", BAD[message]
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=message) as caught:
        load_weights(make_network(), path)
    assert "\n" not in str(caught.value)


def test_pickled_code_is_not_run(tmp_path, capsys):
    torch.save({"network": Evil()}, tmp_path / "new.pt")
    (tmp_path / "old.pt").write_bytes(pickle.dumps(Evil()))
    for name in ("new.pt", "old.pt"):
        with pytest.raises(InputError, match="is not a readable checkpoint of tensors"):
            load_checkpoint(tmp_path / name)
    assert capsys.readouterr().out == ""


FUZZ = settings(
    deadline=None, derandomize=True, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@FUZZ
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=60).map(lambda rest: b"\x80\x02" + rest),
        st.tuples(st.integers(0, 1500), st.integers(0, 255)),
    )
)
def test_a_damaged_checkpoint_is_one_line_or_reads(tmp_path, content):
    path = tmp_path / "a.pt"
    if isinstance(content, tuple):
        torch.save({"network": {"a": torch.ones(3)}, "epoch": 1}, path)
        place, value = content
        damaged = bytearray(path.read_bytes())
        damaged[place % len(damaged)] = value
        content = bytes(damaged)
    path.write_bytes(content)
    try:
        load_checkpoint(path)
    except InputError as error:
        assert "\n" not in str(error)


class Run:
    """A run with everything that a checkpoint holds."""

    def __init__(self, folder, resume=False, dice=(0.1, 0.4, 0.3, 0.2), network=None, by_iteration=False, **settings):
        self.losses, self.rates = [], []
        network = make_network() if network is None else network
        settings = {"epochs": 4, "loss": "rrw", **settings}
        epochs = settings["epochs"]
        self.optimizer = torch.optim.Adam(network.parameters(), 0.05)
        sampler = StreamSampler()
        self.evaluator = make_evaluator(dice)
        self.averaging = AveragedWeights(network, decay=0.9 if by_iteration else 0)
        self.precision = Precision("auto", "cpu")
        if by_iteration:
            scheduler = torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer, 0.05, total_steps=2 * epochs, pct_start=0.25, cycle_momentum=False
            )
        else:
            scheduler = torch.optim.lr_scheduler.PolynomialLR(self.optimizer, total_iters=epochs, power=0.9)
        self.checkpoints = Checkpoints(
            folder,
            network,
            self.optimizer,
            scheduler,
            sampler,
            2,
            self.evaluator,
            settings,
            resume,
            {"precision": self.precision},
            self.averaging,
        )
        handlers = [
            WeightAveraging(self.averaging),
            ValidationHandler(1, self.evaluator),
            LrScheduleHandler(scheduler, epoch_level=not by_iteration, print_lr=False),
            self.checkpoints,
        ]
        self.trainer = make_trainer(
            epochs,
            handlers,
            network,
            optimizer=self.optimizer,
            train_data_loader=DataLoader(Numbers(), batch_size=2, sampler=sampler),
        )
        self.trainer.add_event_handler(Events.ITERATION_COMPLETED, self.note)

    def note(self, engine):
        self.losses.append(float(train_loss(engine.state.output)))
        self.rates.append(self.optimizer.param_groups[0]["lr"])

    def run(self):
        self.trainer.run()
        return self


class Killed(BaseException):
    pass


def break_off(run, iteration):
    @run.trainer.on(Events.ITERATION_STARTED)
    def stop(engine):
        if engine.state.iteration == iteration:
            raise Killed

    with pytest.raises(Killed):
        run.run()


@pytest.mark.parametrize("by_iteration", [False, True])
def test_a_resumed_run_is_the_uninterrupted_run(tmp_path, by_iteration):
    whole = Run(tmp_path / "whole", by_iteration=by_iteration).run()
    break_off(Run(tmp_path / "part", by_iteration=by_iteration), iteration=6)  # the second of epoch 3
    resumed = Run(tmp_path / "part", resume=True, dice=(0.3, 0.2), by_iteration=by_iteration).run()
    assert resumed.losses == whole.losses[4:]
    assert resumed.rates == whole.rates[4:]
    assert resumed.trainer.state.epoch == 4
    state = resumed.evaluator.state
    assert (state.best_metric, state.best_metric_epoch) == (0.4, 2)
    for name in ("last.pt", "model.pt", "model_last.pt"):
        first, second = (torch.load(tmp_path / folder / name, weights_only=True) for folder in ("whole", "part"))
        assert str(first) == str(second)


def test_resuming_where_nothing_was_saved_starts_from_the_beginning(tmp_path):
    assert Run(tmp_path, resume=True).run().losses == Run(tmp_path / "other").run().losses


def test_a_finished_run_has_nothing_left_to_resume(tmp_path):
    Run(tmp_path).run()
    again = Run(tmp_path, resume=True).run()
    assert again.losses == []
    assert (again.evaluator.state.best_metric, again.evaluator.state.best_metric_epoch) == (0.4, 2)


def test_the_best_weights_are_those_of_the_best_epoch(tmp_path):
    weights = {}
    run = Run(tmp_path)
    run.trainer.add_event_handler(
        Events.EPOCH_COMPLETED,
        lambda engine: weights.update({engine.state.epoch: engine.network[0].weight.detach().clone()}),
    )
    run.run()
    assert torch.equal(load_checkpoint(tmp_path / "model.pt")["0.weight"], weights[2])
    assert torch.equal(load_checkpoint(tmp_path / "model_last.pt")["0.weight"], weights[4])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "model.pt", "model_last.pt"]


def test_averaged_weights_are_the_ones_for_inference_and_a_resumed_run_has_both(tmp_path):
    run = Run(tmp_path, by_iteration=True).run()
    last, averaged = load_checkpoint(tmp_path / "last.pt"), run.averaging.network[0].weight
    assert torch.equal(load_checkpoint(tmp_path / "model_last.pt")["0.weight"], averaged)
    assert not torch.equal(last["network"]["0.weight"], averaged)
    assert torch.equal(last["averaged"]["module.0.weight"], averaged)
    assert last["averaged"]["n_averaged"] == 8


def test_the_rate_rises_and_falls_within_the_run(tmp_path):
    run = Run(tmp_path, by_iteration=True)
    start = run.optimizer.param_groups[0]["lr"]
    rates = run.run().rates[:-1]  # each as the scheduler left it for the next iteration
    assert start == pytest.approx(0.05 / 25)
    assert rates[0] == max(rates) == pytest.approx(0.05)
    assert rates == sorted(rates, reverse=True) and rates[-1] < 1e-4


def test_a_precision_is_kept_for_the_run_that_resumes(tmp_path):
    first = Run(tmp_path, epochs=4)
    first.precision.uses_bfloat16 = True
    break_off(first, iteration=6)
    resumed = Run(tmp_path, resume=True, epochs=4).run()
    assert resumed.precision.uses_bfloat16 is True


@pytest.mark.parametrize("name", ["model.pt", "model_last.pt", "last.pt"])
def test_a_run_killed_while_it_saves_resumes_from_the_epoch_before(tmp_path, monkeypatch, name):
    def save(content, path):
        if path.name.endswith("-" + name) and run.trainer.state.epoch == 2:
            path.write_bytes(b"half")
            raise Killed
        torch_save(content, path)

    torch_save = torch.save
    monkeypatch.setattr(module.torch, "save", save)
    run = Run(tmp_path)
    with pytest.raises(Killed):
        run.run()
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "last.pt")["epoch"] == 1
    resumed = Run(tmp_path, resume=True, dice=(0.4, 0.3, 0.2)).run()
    assert resumed.losses == Run(tmp_path / "whole").run().losses[2:]
    best = load_checkpoint(tmp_path / "model.pt")
    assert str(best) == str(load_checkpoint(tmp_path / "whole" / "model.pt"))


@pytest.mark.parametrize(("name", "other"), [("epochs", 9), ("loss", "dice"), ("seed", 1)])
def test_a_run_is_resumed_with_the_settings_it_was_started_with(tmp_path, name, other):
    first = Run(tmp_path).run().checkpoints.settings
    started = f"with --{name} {first[name]}" if name in first else f"without --{name}"
    before = (tmp_path / "last.pt").read_bytes()
    message = rf"cannot resume from .*last\.pt: it was started {started}; pass the same"
    with pytest.raises(InputError, match=message):
        Run(tmp_path, resume=True, **{name: other}).run()
    assert (tmp_path / "last.pt").read_bytes() == before


@pytest.mark.parametrize("by_iteration", [False, True])
def test_a_run_is_resumed_with_epochs_of_the_same_number_and_length_whatever_its_settings_say(tmp_path, by_iteration):
    Run(tmp_path, by_iteration=by_iteration).run()
    for name, value, message in (("epoch_length", 3, "iterations_per_epoch 2"), ("max_epochs", 9, "epochs 4")):
        other = Run(tmp_path, resume=True, by_iteration=by_iteration)
        setattr(other.trainer.state, name, value)
        with pytest.raises(InputError, match=f"it was started with --{message}; pass the same"):
            other.run()


def test_a_run_is_resumed_with_the_network_it_was_started_with(tmp_path):
    Run(tmp_path).run()
    other = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    with pytest.raises(
        InputError, match=r"cannot resume from .*: 3 weights differ in shape.*settings of the first run"
    ):
        Run(tmp_path, resume=True, network=other).run()


@pytest.mark.parametrize("content", [b"half a file", {"network": make_network().state_dict()}, [1, 2]])
def test_a_last_state_that_is_none_is_refused(tmp_path, content):
    if isinstance(content, bytes):
        (tmp_path / "last.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "last.pt")
    with pytest.raises(
        InputError, match=r"last\.pt( is not a readable checkpoint|: it is not the last state of a run)"
    ):
        Run(tmp_path, resume=True).run()
