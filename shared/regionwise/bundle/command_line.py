"""Parse the command line of MONAI's bundle runner: config files, run id and overrides."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue

from ..errors import InputError
from ..files import read_json

RUNNER_ARGUMENTS = {
    "run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file",
    "workflow_name", "workflow_type", "properties_path",
    "tracking_uri", "experiment_name", "run_name", "save_execute_config",  # of --tracking mlflow
}  # fmt: skip


@dataclass(frozen=True)
class RunnerCommand:
    """A command line of ``python -m monai.bundle run``.

    Attributes:
        files: config files, merged in order.
        run_id: the id to run.
        overrides: id to value, those of ``--args_file`` included.
    """

    files: list[str]
    run_id: str = "run"
    overrides: dict[str, Any] = field(default_factory=dict)


def current_command() -> RunnerCommand | None:
    """Return the runner's command line that started this process; None if it was started by anything else."""
    return read_command(sys.orig_argv[1:] if hasattr(sys, "orig_argv") else sys.argv)


def read_command(command: Sequence[str]) -> RunnerCommand | None:
    """Parse a command line of MONAI's bundle runner.

    Args:
        command: the interpreter's arguments: ``["-m", "monai.bundle", "run", "training", "--epochs", "5", ...]``.

    Returns:
        The parsed command; None if it is not one of the runner.

    Raises:
        InputError: If the file of ``--args_file`` cannot be read.
    """
    rest = _after_module(list(command))
    if not rest or rest[0] != "run":
        return None
    positional, flags = _split_flags(rest[1:])
    if positional:
        flags.setdefault("run_id", positional[0])
    if "args_file" in flags:
        flags = {**read_arguments(flags.pop("args_file")), **flags}
    files = flags.get("config_file")
    if not files:
        return None
    files = [files] if isinstance(files, str) else [str(file) for file in files]
    overrides = {key: value for key, value in flags.items() if key not in RUNNER_ARGUMENTS}
    return RunnerCommand(files, str(flags.get("run_id", "run")), overrides)


def _after_module(command: list[str]) -> list[str]:
    """Return what stands after the runner's module, named as such or by its file."""
    for place, argument in enumerate(command):
        if argument == "monai.bundle" or argument.replace("\\", "/").endswith("monai/bundle/__main__.py"):
            return command[place + 1 :]
    return []


def read_arguments(path: Any) -> Mapping[str, Any]:
    """Read the ids and values of ``--args_file``; YAML is left to MONAI.

    Raises:
        InputError: If the file is missing, or holds no ids and values.
    """
    file = Path(str(path))
    if not file.is_file():
        raise InputError(f"expected a file of arguments at {file} (--args_file), not found")
    if file.suffix in (".yaml", ".yml"):
        return {}
    if file.suffix != ".json":
        raise InputError(f"expected a file of arguments that ends in .json or .yaml, found {file} (--args_file)")
    content = read_json(file, "--args_file takes a run's network.json")
    if not isinstance(content, Mapping):
        raise InputError(f"expected ids and values in {file} (--args_file), found a {type(content).__name__}")
    return content


def _split_flags(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Read ``--key value``, ``--key=value`` and ``--key`` as Fire does."""
    positional, flags = [], {}
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        index += 1
        if not argument.startswith("--"):
            positional.append(argument)
            continue
        key, equals, value = argument[2:].partition("=")
        key = key.replace("-", "_")
        if equals:
            flags[key] = DefaultParseValue(value)
        elif index < len(arguments) and not arguments[index].startswith("--"):
            flags[key] = DefaultParseValue(arguments[index])
            index += 1
        else:
            flags[key] = True
    return positional, flags
