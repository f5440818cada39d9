"""Reading the command line of MONAI's runner."""

import json

import fire
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regionwise.bundle.command_line import RunnerCommand, read_command

RUN = ["-m", "monai.bundle", "run"]


def test_files_run_id_and_overrides_are_found():
    command = [*RUN, "training", "--config_file", "a.json", "--epochs", "5", "--loss=focal", "--resume"]
    assert read_command(command) == RunnerCommand(
        ["a.json"], "training", {"epochs": 5, "loss": "focal", "resume": True}
    )


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
        overrides = read_command([*RUN, "--config_file", "a.json", *command]).overrides
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
    found = read_command([*RUN, "--config_file", "a.json", *command])
    assert found == RunnerCommand(["a.json"], "run", expected)


def test_several_config_files_are_merged_in_order():
    assert read_command([*RUN, "--config_file", "['a.json','b.json']"]).files == ["a.json", "b.json"]


def test_the_arguments_of_the_runner_are_no_overrides(tmp_path):
    options = ["--meta_file", "m.json", "--logging_file", "l.conf", "--tracking", "mlflow", "--run_id", "training"]
    assert read_command([*RUN, "--config_file", "a.json", *options]) == RunnerCommand(["a.json"], "training")


def test_an_args_file_gives_what_the_command_line_does_not(tmp_path):
    (tmp_path / "network.json").write_text(json.dumps({"filters": [8, 16], "epochs": 3}))
    options = ["--config_file", "a.json", "--args_file", str(tmp_path / "network.json"), "--epochs", "7"]
    assert read_command([*RUN, *options]).overrides == {"filters": [8, 16], "epochs": 7}


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
    assert read_command(command) is None


def test_the_module_may_be_named_by_its_file():
    command = ["/venv/site-packages/monai/bundle/__main__.py", "run", "--config_file", "a.json"]
    assert read_command(command) == RunnerCommand(["a.json"])
