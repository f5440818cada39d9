from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from regionwise.errors import InputError
from regionwise.losses import LossSchedule, make_loss
from regionwise.training import CollapseGuard, ValidationHandler
from regionwise.training.collapse import has_collapsed, is_sure, missed_classes
from regionwise.training.foreground import batch_counts
from torch import nn
from torch.utils.data import DataLoader, Dataset


def test_a_class_with_stray_voxels_only_is_missed():
    assert missed_classes([9990, 0, 10], [9000, 0, 1000]) == []
    assert missed_classes([9999, 0, 1], [9000, 0, 1000]) == [2]  # 1 of 1000
    assert missed_classes([9900, 100, 0], [9000, 0, 1000]) == [2]


@pytest.mark.parametrize(
    ("predicted", "reference", "collapsed"),
    [
        ([100, 0, 0], [90, 6, 4], True),
        ([0, 100, 0], [90, 6, 4], True),  # not background, but everywhere the same
        ([94, 6, 0], [90, 6, 4], False),  # one structure of two
        ([100, 0, 0], [100, 0, 0], False),  # structures truly absent
        ([0, 0, 0], [0, 0, 0], False),
        ([95, 0, 5], [95, 5, 0], True),  # what is predicted is in no reference
    ],
)
def test_one_class_everywhere_is_a_collapse_where_the_references_have_more(predicted, reference, collapsed):
    assert has_collapsed(predicted, reference) == collapsed


def test_doubt_is_compared_with_how_frequent_the_missed_classes_are():
    # 4 % foreground: a network that knows only that gives the background 0.96.
    assert not is_sure(40 * 0.04, 40, 1000)
    assert not is_sure(40 * 0.02, 40, 1000)
    assert is_sure(40 * 0.019, 40, 1000)
    # 0.1 %, as a tumor: 0.999 is no sign of anything.
    assert not is_sure(1 * 0.001, 1, 1000)
    # A class missed that is frequent: 0.96 is no sign of anything, 0.5 even less.
    assert not is_sure(900 * 0.5, 900, 1000)
    assert not is_sure(0, 0, 1000)


def logits_of(classes, probability, num_classes=3):
    """Return logits (B, C, H, W) whose softmax has this probability at these classes."""
    rest = (1 - probability) / (num_classes - 1)
    one_hot = nn.functional.one_hot(classes[:, 0], num_classes).movedim(-1, 1)
    return torch.where(one_hot > 0, torch.tensor(probability).log(), torch.tensor(rest).log())


LABELS = torch.zeros(2, 1, 10, 10, dtype=torch.long)
LABELS[:, :, 4:6, 4] = 1
LABELS[:, :, 4:6, 6] = 2
ONLY_1 = LABELS * (LABELS == 1)
NOTHING = torch.zeros_like(LABELS)


class Script:
    """Engines that put out given predictions: for each epoch (trained, probability, validated or None)."""

    def __init__(self, epochs, state=None, start=0, labels=LABELS, decollated=False, epoch_length=10, **settings):
        self.labels, self.decollated = labels, decollated
        self.trainer, self.evaluator = Engine(self.step), Engine(self.evaluate)
        self.evaluator.state.best_metric, self.evaluator.state.best_metric_epoch = 0.5, 2
        self.epochs = epochs

        def validate(engine):
            if epochs[engine.state.epoch - 1 - start][2] is not None:
                self.evaluator.run([0], max_epochs=1)

        self.trainer.add_event_handler("EPOCH_COMPLETED", validate)
        self.guard = CollapseGuard(self.evaluator, 3, patience=20, **settings)
        if state is not None:
            self.guard.state.load_state_dict(state)
            self.trainer.load_state_dict(
                {"epoch_length": epoch_length, "max_epochs": start + len(epochs), "iteration": start * epoch_length}
            )
        self.start = start
        self.guard.attach(self.trainer)
        self.trainer.run([0] * epoch_length, max_epochs=start + len(epochs))

    def now(self):
        return self.epochs[self.trainer.state.epoch - 1 - self.start]

    def step(self, engine, _):
        predicted, probability, _ = self.now()
        logits = torch.stack([logits_of(predicted, probability), logits_of(LABELS, 0.9)], 1)  # deep supervision
        target = torch.cat([self.labels.float(), torch.ones_like(self.labels)], 1)
        output = {"pred": logits, "label": target, "loss": torch.tensor(-0.067)}
        if not self.decollated:
            return output
        return [{"pred": p, "label": t, "loss": output["loss"]} for p, t in zip(logits, target, strict=True)]

    def evaluate(self, engine, _):
        return [{"pred": p, "label": t} for p, t in zip(self.now()[2], self.labels.float(), strict=True)]


COLLAPSED = (NOTHING, 0.999, NOTHING)
LEARNING = (LABELS, 0.9, LABELS)


@pytest.mark.parametrize("decollated", [False, True])
def test_a_collapse_is_said_at_once_and_stopped_when_it_lasted(capsys, decollated):
    with pytest.raises(InputError) as error:
        Script([LEARNING, COLLAPSED, COLLAPSED, COLLAPSED, COLLAPSED], decollated=decollated)
    line = (
        "the training has collapsed: class 0 is predicted everywhere, with mean probability 0.9990 even where the "
        "reference has structures 1, 2, and the loss is -0.0670; train with --loss rrw:annealed or a smaller "
        "--learning_rate"
    )
    assert str(error.value) == (
        f"{line} (stopped after 20 iterations of it; --on_collapse warn goes on; model.pt holds the best weights, of "
        "epoch 2)"
    )
    assert capsys.readouterr().out == f"warning: {line} (seen in epoch 2)\n"


def test_warn_goes_on_and_says_it_once(capsys):
    script = Script([COLLAPSED] * 6, action="warn")
    assert script.trainer.state.epoch == 6
    assert capsys.readouterr().out.count("has collapsed") == 1


def test_a_training_that_recovers_before_is_not_stopped():
    script = Script([COLLAPSED, COLLAPSED, LEARNING, COLLAPSED, COLLAPSED, LEARNING])
    assert script.guard.state.since is None


@pytest.mark.parametrize(
    "epoch",
    [
        (NOTHING, 0.96, NOTHING),  # no surer than the frequency of the foreground
        (NOTHING, 0.999, ONLY_1),  # something is predicted in the validation
        (ONLY_1, 0.999, NOTHING),  # or in the training
        (ONLY_1, 0.999, ONLY_1),
    ],
)
def test_a_slow_start_is_not_stopped(epoch):
    assert Script([epoch] * 8).trainer.state.epoch == 8


def test_without_a_validation_in_between_the_training_batches_decide():
    unseen = (NOTHING, 0.999, None)
    with pytest.raises(InputError, match="stopped after 20 iterations"):
        Script([unseen] * 5)


def test_few_iterations_are_enough_to_say_it(capsys):
    Script([COLLAPSED] * 2, epoch_length=2)
    assert "warning: the training has collapsed" in capsys.readouterr().out


def test_structures_that_no_reference_has_are_no_collapse(capsys):
    assert Script([COLLAPSED] * 8, labels=NOTHING).trainer.state.epoch == 8
    assert capsys.readouterr().out == ""


def test_one_structure_that_stays_away_is_said_once_and_ends_nothing(capsys):
    script = Script([(ONLY_1, 0.999, ONLY_1)] * 6)
    assert script.trainer.state.epoch == 6
    assert capsys.readouterr().out == (
        "warning: structure 2 predicted nowhere in the validation cases since iteration 10\n"
        "warning: the training ends with structure 2 predicted nowhere in the validation cases; train longer, or with "
        "--loss rrw:annealed or another --learning_rate\n"
    )


def test_a_collapse_too_late_to_last_is_said_at_the_end(capsys):
    Script([LEARNING, (ONLY_1, 0.999, NOTHING)])  # stray predictions in the training batches: no collapse yet
    expected = "warning: the training ends with structures 1, 2 predicted nowhere in the validation cases; "
    assert capsys.readouterr().out.startswith(expected)


def test_a_training_that_finds_every_structure_in_the_end_says_nothing(capsys):
    Script([(ONLY_1, 0.999, ONLY_1), LEARNING])
    assert capsys.readouterr().out == ""


def test_the_decision_survives_a_resume(tmp_path):
    torch.save(Script([LEARNING, COLLAPSED]).guard.state.state_dict(), tmp_path / "last.pt")
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state["since"] == 20
    Script([COLLAPSED], state=state, start=2)  # 30: ten iterations of it
    with pytest.raises(InputError, match="stopped after 20 iterations"):
        Script([COLLAPSED, COLLAPSED], state=state, start=2)


def test_curves_of_the_foreground_fraction(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    Script([(LABELS, 0.9, ONLY_1), (LABELS, 0.9, None), LEARNING], log_dir=tmp_path)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == [
        f"foreground_fraction/structure_{c}/{name}" for c in (1, 2) for name in ("predicted", "reference")
    ]
    predicted = events.Scalars("foreground_fraction/structure_2/predicted")
    assert [point.value for point in predicted] == pytest.approx([0, 0.02])
    assert [point.value for point in events.Scalars("foreground_fraction/structure_2/reference")] == pytest.approx(
        [0.02, 0.02]
    )
    assert len(list(Path(tmp_path).iterdir())) == 1


def test_logits_of_a_list_and_of_one_level_are_counted_alike():
    logits = logits_of(LABELS, 0.8)
    expected = batch_counts({"pred": logits, "label": LABELS}, 3)
    assert torch.equal(batch_counts({"pred": [logits, logits[..., ::2, ::2]], "label": LABELS}, 3), expected)
    assert expected[:2].tolist() == [[192, 4, 4], [192, 4, 4]]
    assert expected[2].tolist() == pytest.approx([0.2 * 192, 0.8, 0.8], rel=1e-5)


def test_an_unknown_action_raises():
    with pytest.raises(InputError, match="Unknown --on_collapse 'stpo'; did you mean 'stop'"):
        CollapseGuard(Engine(lambda e, b: None), 3, "stpo")


class Slices(Dataset):
    """Slices with one bright disc, 3 % of the voxels, each made from its number."""

    def __init__(self, contrast=1.5):
        self.contrast = contrast

    def __len__(self):
        return 10**6

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        row, column = torch.randint(8, 24, (2,), generator=generator)
        y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
        disc = (y - row) ** 2 + (x - column) ** 2 < 10
        image = self.contrast * disc + torch.randn(32, 32, generator=generator) * 0.5
        return {"image": image[None].float(), "label": disc[None].float()}


class ToLabels(nn.Module):
    """Logits in training, labels in evaluation, as the bundles' inferer gives them."""

    def __init__(self, bias):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.LeakyReLU(), nn.Conv2d(8, 2, 1))
        with torch.no_grad():
            self.layers[2].bias += torch.tensor([bias, 0.0])

    def forward(self, image):
        logits = self.layers(image)
        return logits if self.training else logits.argmax(1, keepdim=True)


def train(loss, learning_rate, bias, contrast=1.5, iterations=40):
    """Train on `Slices` for ten epochs, guarded; return the share of foreground predicted at the end, and the guard."""
    torch.manual_seed(0)
    network, function, slices = ToLabels(bias), make_loss(loss), Slices(contrast)
    cases = torch.utils.data.Subset(slices, range(10**5, 10**5 + 8))
    evaluator = SupervisedEvaluator(torch.device("cpu"), DataLoader(cases), network)
    guard = CollapseGuard(evaluator, 2)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=10,
        epoch_length=iterations,
        train_data_loader=DataLoader(slices, batch_size=4),
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), learning_rate),
        loss_function=function,
        train_handlers=[LossSchedule(function), ValidationHandler(1, evaluator), guard],
    )
    trainer.run()
    predicted, reference = guard.validation.counts.tolist()
    return predicted[1] / reference[1], guard


def test_a_real_collapse_is_stopped(capsys):
    # So faint that no voxel is foreground with probability above 1/3: the region-wise loss asks for background alone.
    with pytest.raises(InputError, match=r"class 0 is predicted everywhere.*\(stopped after 2\d\d iterations of it"):
        train("rrw", 0.01, bias=2, contrast=0.1)
    assert "warning: the training has collapsed" in capsys.readouterr().out


def test_cross_entropy_stays_unsure_there_and_is_not_stopped(capsys):
    share, guard = train("ce", 0.01, bias=2, contrast=0.1)
    assert share == 0 and guard.state.since is None
    assert capsys.readouterr().out.startswith("warning: the training ends with structure 1 predicted nowhere")


def test_a_sure_start_that_recovers_is_said_but_not_stopped(capsys):
    share, guard = train("rrw", 0.003, bias=10)  # nothing predicted, surely, for 80 iterations
    assert share > 0.5 and guard.state.since is None
    assert "(seen in epoch 1)" in capsys.readouterr().out


@pytest.mark.parametrize("loss", ["dice_ce", "rrw:annealed"])
def test_a_slow_start_that_predicts_nothing_at_first_is_not_stopped(capsys, loss):
    _, guard = train(loss, 0.001, bias=2)
    assert guard.state.since is None
    assert "collapsed" not in capsys.readouterr().out
