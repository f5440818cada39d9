"""What every bundle's ``initialize`` does: one-line errors, a checked command line, fixed seeds."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser, update_kwargs
from monai.utils import set_determinism

from ..errors import InputError, find_input_error
from .lint import find_problems

RUNNER_ARGUMENTS = {
    "run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file",
    "workflow_name", "workflow_type", "properties_path",
    "tracking_uri", "experiment_name", "run_name", "save_execute_config",  # of --tracking mlflow
}  # fmt: skip


def setup(seed: int = 0) -> None:
    """Prepare a run: errors of the user's become one line, the command line is checked, seeds are fixed.

    The configuration is checked only when this process was started by ``python -m monai.bundle run``: its command
    line is all that tells which files and overrides were given. From Python, call `regionwise.bundle.lint`.

    Args:
        seed: for Python, NumPy and torch.

    Raises:
        InputError: the configuration or an override is wrong.
    """
    sys.excepthook = show_input_errors_in_one_line
    arguments = runner_arguments(sys.orig_argv[1:] if hasattr(sys, "orig_argv") else sys.argv)
    if arguments is not None:
        files, run_id, overrides = arguments
        problems = find_problems(files, overrides)
        known = ConfigParser.load_config_files(files) if not problems else {run_id: ""}
        if run_id not in known:
            problems.append(f"there is no id '{run_id}' to run in {', '.join(files)}; try run")
        if problems:
            more = f" (and {len(problems) - 1} more: python -m regionwise lint)" if len(problems) > 1 else ""
            raise InputError(problems[0] + more)
    set_determinism(seed=seed)


def runner_arguments(command: Sequence[str]) -> tuple[list[str], str, dict[str, Any]] | None:
    """Take a command line of MONAI's bundle runner apart.

    Args:
        command: the interpreter's arguments: ``["-m", "monai.bundle", "run", "training", "--epochs", "5", ...]``.

    Returns:
        config files, run id and overrides (those of ``--args_file`` included); None if it is no such command.
    """
    command = list(command)
    if "monai.bundle" in command:
        rest = command[command.index("monai.bundle") + 1 :]
    elif any(argument.replace("\\", "/").endswith("monai/bundle/__main__.py") for argument in command):
        place = next(i for i, part in enumerate(command) if part.replace("\\", "/").endswith("bundle/__main__.py"))
        rest = command[place + 1 :]
    else:
        return None
    if not rest or rest[0] != "run":
        return None
    positional, flags = _split_flags(rest[1:])
    if positional:
        flags.setdefault("run_id", positional[0])
    if isinstance(flags.get("args_file"), str):
        flags = update_kwargs(args=flags.pop("args_file"), **flags)
    files = flags.get("config_file")
    if not files:
        return None
    files = [files] if isinstance(files, str) else [str(file) for file in files]
    overrides = {key: value for key, value in flags.items() if key not in RUNNER_ARGUMENTS}
    return files, str(flags.get("run_id", "run")), overrides


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


def show_input_errors_in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an `InputError` (also one that MONAI wrapped) as one line; anything else with its traceback."""
    problem = find_input_error(error)
    if problem is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"error: {problem}", file=sys.stderr)


def find_bundle_root(name: str) -> str:
    """Return the folder of a bundle, from inside it, from the repository's root, or where the runner found it.

    Args:
        name: of the bundle's folder, such as ``acdc_rrw``.

    Raises:
        InputError: it is in none of these places.
    """
    candidates = [Path(), Path("bundles") / name, *map(Path, sys.path)]
    for folder in candidates:
        metadata = folder / "configs" / "metadata.json"
        if metadata.is_file() and f'"{name}"' in metadata.read_text(encoding="utf-8"):
            return str(folder)
    raise InputError(f"cannot find the bundle {name} from here; pass --bundle_root DIR")
