"""Reading the runner's command line, and what a wrong one says."""

import random
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from regionwise.bundle.setup import find_bundle_root, setup, show_input_errors_in_one_line
from regionwise.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
TRAIN = str(ROOT / "bundles" / "acdc_rrw" / "configs" / "train.json")
RUN = ["-m", "monai.bundle", "run"]


@pytest.fixture(autouse=True)
def undo(monkeypatch):
    """Give the process back its way of showing errors and its random numbers."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(state[0])
    np.random.set_state(state[1])
    torch.set_rng_state(state[2])


def test_the_signal_that_ends_a_run_is_as_ctrl_c(monkeypatch):
    started_as(monkeypatch, "script.py")
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        setup()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        ours = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        setup()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, "a handler that someone set stays"
        assert ours is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def started_as(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, *map(str, arguments)])


def test_a_right_command_line_fixes_the_seeds(monkeypatch):
    started_as(monkeypatch, *RUN, "training", "--config_file", TRAIN, "--epochs", 5)
    drawn = []
    for seed in (3, 3, 4):
        setup(seed)
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(()))))
    assert drawn[0] == drawn[1]
    assert all(first != second for first, second in zip(drawn[1], drawn[2], strict=True))
    assert sys.excepthook is show_input_errors_in_one_line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], r"^expected --epochs to be an integer >= 1, found 0$"),
        (["--epohcs", "3"], r"^Unknown id 'epohcs' in .*train\.json; did you mean 'epochs'\?$"),
        (["--epochs", "0", "--loss", "rww"], r"\(and 1 more: python -m regionwise lint\)$"),
    ],
)
def test_a_wrong_command_line_is_one_line(monkeypatch, options, message):
    started_as(monkeypatch, *RUN, "training", "--config_file", TRAIN, *options)
    with pytest.raises(InputError, match=message):
        setup()


def test_a_run_id_that_does_not_exist_is_named(monkeypatch):
    started_as(monkeypatch, *RUN, "trian", "--config_file", TRAIN)
    with pytest.raises(InputError, match=r"^Unknown id 'trian' to run in .*train\.json; try run$"):
        setup()


def test_input_errors_are_shown_in_one_line_and_defects_with_their_traceback(capsys):
    for error in (InputError("expected a, found b"), RuntimeError("Failed to instantiate component")):
        error.__cause__ = InputError("expected a, found b") if isinstance(error, RuntimeError) else None
        show_input_errors_in_one_line(type(error), error, None)
        assert capsys.readouterr().err == "error: expected a, found b\n"
    show_input_errors_in_one_line(KeyError, KeyError("ours"), None)
    assert "KeyError: 'ours'" in capsys.readouterr().err


@pytest.mark.parametrize("where", [".", "bundles", "bundles/acdc_rrw"])
def test_the_bundle_is_found_from_the_root_and_from_its_folder(monkeypatch, where):
    monkeypatch.chdir(ROOT / where)
    if where == "bundles":  # only through the path that the runner adds
        monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "bundles" / "acdc_rrw")])
    assert Path(find_bundle_root("acdc_rrw")).resolve() == ROOT / "bundles" / "acdc_rrw"


def test_another_bundle_at_this_place_is_not_taken_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.chdir(ROOT / "bundles" / "kits_rrw")
    with pytest.raises(InputError, match="cannot find the bundle acdc_rrw from here; pass --bundle_root DIR"):
        find_bundle_root("acdc_rrw")
