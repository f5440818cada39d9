"""Reading the runner's command line, and what a wrong one says."""

import json
import random
import sys
from pathlib import Path

import fire
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from regionwise.bundle.setup import find_bundle_root, runner_arguments, setup, show_input_errors_in_one_line
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


def started_as(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, *map(str, arguments)])


def test_files_run_id_and_overrides_are_found():
    command = [*RUN, "training", "--config_file", "a.json", "--epochs", "5", "--loss=focal", "--resume"]
    assert runner_arguments(command) == (["a.json"], "training", {"epochs": 5, "loss": "focal", "resume": True})


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("1e-3", 1e-3),
        ("null", "null"),
        ("None", None),
        ("true", "true"),
        ("True", True),
        ("[64,64]", [64, 64]),
        ("rrw+dice:equal", "rrw+dice:equal"),
        ("$2*3", "$2*3"),
        ("@batch_size", "@batch_size"),
        ("/data/ACDC", "/data/ACDC"),
    ],
)
def test_values_are_read_as_fire_reads_them(given, value):
    for command in (["--key", given], [f"--key={given}"]):
        _, _, overrides = runner_arguments([*RUN, "--config_file", "a.json", *command])
        assert overrides == {"key": value}
        assert overrides == fire.Fire(lambda **flags: flags, command, serialize=lambda _: "")


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["epochs", "output-dir", "network_def#filters", "loss"]),
            st.sampled_from(["5", "-1", "x", "[1,2]", "a b", "", None]),
            st.booleans(),
        ),
        max_size=4,
    )
)
def test_any_command_line_is_read_as_fire_reads_it(options):
    command = []
    for key, value, equals in options:
        if value is None:
            command.append(f"--{key}")
        else:
            command += [f"--{key}={value}"] if equals else [f"--{key}", value]
    expected = fire.Fire(lambda **flags: flags, command, serialize=lambda _: "")
    _, run_id, overrides = runner_arguments([*RUN, "--config_file", "a.json", *command])
    assert (run_id, overrides) == ("run", expected)


def test_several_config_files_are_merged_in_order():
    files, _, _ = runner_arguments([*RUN, "--config_file", "['a.json','b.json']"])
    assert files == ["a.json", "b.json"]


def test_the_arguments_of_the_runner_are_no_overrides(tmp_path):
    options = ["--meta_file", "m.json", "--logging_file", "l.conf", "--tracking", "mlflow", "--run_id", "training"]
    assert runner_arguments([*RUN, "--config_file", "a.json", *options]) == (["a.json"], "training", {})


def test_an_args_file_gives_what_the_command_line_does_not(tmp_path):
    (tmp_path / "network.json").write_text(json.dumps({"filters": [8, 16], "epochs": 3}))
    options = ["--config_file", "a.json", "--args_file", str(tmp_path / "network.json"), "--epochs", "7"]
    assert runner_arguments([*RUN, *options])[2] == {"filters": [8, 16], "epochs": 7}


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "pytest", "tests"],
        ["script.py", "run", "--config_file", "a.json"],
        ["-m", "monai.bundle", "verify_metadata", "--meta_file", "m.json"],
        ["-m", "monai.bundle"],
        ["-m", "monai.bundle", "run", "training"],
    ],
)
def test_other_commands_are_not_checked(command):
    assert runner_arguments(command) is None


def test_the_module_may_be_named_by_its_file():
    command = ["/venv/site-packages/monai/bundle/__main__.py", "run", "--config_file", "a.json"]
    assert runner_arguments(command) == (["a.json"], "run", {})


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
        (["--epohcs", "3"], r"^there is no id 'epohcs' in .*train\.json; did you mean 'epochs'\?$"),
        (["--epochs", "0", "--loss", "rww"], r"\(and 1 more: python -m regionwise lint\)$"),
    ],
)
def test_a_wrong_command_line_is_one_line(monkeypatch, options, message):
    started_as(monkeypatch, *RUN, "training", "--config_file", TRAIN, *options)
    with pytest.raises(InputError, match=message):
        setup()


def test_a_run_id_that_does_not_exist_is_named(monkeypatch):
    started_as(monkeypatch, *RUN, "trian", "--config_file", TRAIN)
    with pytest.raises(InputError, match=r"^there is no id 'trian' to run in .*train\.json; try run$"):
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
