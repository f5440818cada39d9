import re

import pytest
from ignite.engine import Events
from regionwise.data.sampler import StreamSampler
from regionwise.training import CaseProgress, Checkpoints, Progress, ValidationHandler, progress
from regionwise.training.progress import peak_memory
from torch import optim
from torch.utils.data import DataLoader

from .engines import Numbers, make_evaluator, make_network, make_trainer

LINE = re.compile(
    r"epoch (\d+)/(\d+)  loss (-?\d+\.\d{4})(?:  Dice (\d\.\d{3}))?  \d+\.\d\d it/s  waiting for data \d+%"
)


def lines_of(text):
    return [LINE.fullmatch(line) for line in text.splitlines() if line.startswith("epoch")]


def test_an_epoch_is_a_line_with_dice_where_it_was_validated(capsys):
    evaluator = make_evaluator([0.25, 0.5, 0.75])
    losses = []
    trainer = make_trainer(4, [ValidationHandler(2, evaluator), Progress(evaluator)])
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: losses.append(float(e.state.output[0]["loss"])))
    trainer.run()
    out = capsys.readouterr().out
    found = [line.groups() for line in lines_of(out)]
    means = [f"{(first + second) / 2:.4f}" for first, second in zip(losses[::2], losses[1::2], strict=True)]
    assert found == [
        ("1", "4", means[0], None),
        ("2", "4", means[1], "0.250"),
        ("3", "4", means[2], None),
        ("4", "4", means[3], "0.500"),
    ]
    assert "best Dice 0.5000 in epoch 4\n" in out
    assert re.search(r"^peak memory \d+\.\d\d GiB", out, re.MULTILINE)


def test_the_figures_are_there_for_other_handlers():
    trainer = make_trainer(1, [Progress(make_evaluator())])
    trainer.run()
    assert trainer.state.metrics.keys() == {"mean_train_loss", "iterations_per_second", "waiting_for_data"}
    assert 0 <= trainer.state.metrics["waiting_for_data"] <= 1


def test_a_process_that_does_not_speak_prints_nothing(capsys):
    evaluator = make_evaluator()
    silent = Progress(evaluator)
    silent.show = False
    make_trainer(2, [ValidationHandler(1, evaluator), silent]).run()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.fixture
def terminal(monkeypatch):
    """Draw bars, as on a terminal."""
    monkeypatch.setattr(progress, "_off", lambda show: False)


def test_the_bar_of_a_resumed_run_starts_where_the_run_was(tmp_path, terminal):
    def run(epochs, resume):
        network, sampler, evaluator = make_network(), StreamSampler(), make_evaluator()
        optimizer = optim.Adam(network.parameters())
        shown = Progress(evaluator)
        handlers = [
            shown,
            Checkpoints(
                tmp_path,
                network,
                optimizer,
                optim.lr_scheduler.ConstantLR(optimizer, 1.0, 4),
                sampler,
                2,
                evaluator,
                resume=resume,
            ),
        ]
        trainer = make_trainer(
            4, handlers, network, optimizer=optimizer, train_data_loader=DataLoader(Numbers(), 2, sampler=sampler)
        )
        if not resume:
            trainer.add_event_handler(Events.EPOCH_COMPLETED(once=epochs), lambda: trainer.terminate())
        bars = []
        trainer.add_event_handler(Events.EPOCH_STARTED, lambda: bars.append(shown.bar.initial))
        trainer.run()
        return bars, shown.bar.total

    assert run(1, resume=False) == ([0], 8)
    assert run(4, resume=True) == ([2, 2, 2], 8)


def test_an_error_closes_the_bar_and_stays_the_error(terminal):
    shown = Progress(make_evaluator())

    def fail(*pair):
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        make_trainer(1, [shown], loss_function=fail).run()
    assert shown.bar.disable  # tqdm's mark of a closed bar


def test_cases_are_counted(terminal, capsys):
    counted = CaseProgress("inference")
    evaluator = make_evaluator()
    counted.attach(evaluator)
    evaluator.run()
    assert re.search(r"inference: 100%.*1/1", capsys.readouterr().err)


def test_cases_are_lines_where_there_is_no_terminal(capsys):
    counted = CaseProgress("inference")
    evaluator = make_evaluator()
    counted.attach(evaluator)
    evaluator.run()
    assert capsys.readouterr().out.splitlines()[-1] == "inference: 1/1 cases"


def test_memory_is_told_in_gib():
    used = float(peak_memory().split()[0])
    assert 0.05 < used < 64
