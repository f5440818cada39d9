"""The command line: ``python -m regionwise <command> [--option value ...]``."""

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence

import fire

from .errors import InputError, did_you_mean

# Each command is a function of the module that owns the subject; modules are imported only when their command runs.
COMMANDS = {
    "phantom": "regionwise.phantoms.write:phantom",
    "check": "regionwise.datasets.check:check",
    "evaluate": "regionwise.evaluation.evaluate:evaluate",
    "compare": "regionwise.evaluation.comparison.compare:compare",
    "gradients": "regionwise.diagnostics:gradients",
    "lint": "regionwise.bundle.lint:lint",
    "pack": "regionwise.packaging.pack:pack",
    "verify": "regionwise.packaging.verify:verify",
    "export": "regionwise.packaging.export:export",
    "dicom": "regionwise.packaging.dicom:dicom",
    "push": "regionwise.packaging.hub:push",
    "pull": "regionwise.packaging.hub:pull",
}


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: the command and its options, as from ``sys.argv[1:]``.

    Returns:
        The exit status: 0, or 1 after bad input (one line on stderr).
    """
    try:
        if not arguments or arguments[0] in ("-h", "--help", "help"):
            print(_usage())
            return 0
        function = _find(arguments[0])
        options = list(arguments[1:])
        if "-h" in options or "--help" in options:
            print(f"python -m regionwise {arguments[0]}{_synopsis(function)}\n\n{inspect.getdoc(function)}")
            return 0
        _check_options(arguments[0], function, options)
        result = fire.Fire(function, command=options, name=f"regionwise {arguments[0]}", serialize=lambda _: None)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _find(command: str) -> Callable:
    if command not in COMMANDS:
        raise InputError(f"there is no command '{command}'; {did_you_mean(command, COMMANDS)}")
    module, function = COMMANDS[command].split(":")
    return getattr(importlib.import_module(module), function)


def _check_options(command: str, function: Callable, options: Sequence[str]) -> None:
    """Refuse what Fire would answer with a page of usage and status 2."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    names = {parameter.name for parameter in parameters}
    given = {option[2:].split("=")[0].replace("-", "_") for option in options if option.startswith("--")}
    for name in sorted(given - names):
        if not (name.startswith("no") and name[2:] in names):
            raise InputError(f"'{command}' has no option --{name}; {did_you_mean(name, sorted(names))}")
    positional = 0
    for before, option in zip(["", *options], options, strict=False):
        positional += not option.startswith("-") and not (before.startswith("--") and "=" not in before)
    required = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    missing = [name for name in required if name not in given][positional:]
    if missing:
        raise InputError(f"'{command}' needs --{missing[0]}; see python -m regionwise {command} --help")


def _synopsis(function: Callable) -> str:
    parts = []
    for parameter in inspect.signature(function).parameters.values():
        required = parameter.default is parameter.empty
        if parameter.kind is parameter.VAR_KEYWORD:
            parts.append(" [--key value ...]")
        elif parameter.kind is parameter.VAR_POSITIONAL:
            parts.append(f" {parameter.name.upper()} ...")
        else:
            parts.append(f" --{parameter.name} VALUE" if required else f" [--{parameter.name} {parameter.default}]")
    return "".join(parts)


def _usage() -> str:
    lines = ["usage: python -m regionwise COMMAND [--option value ...]; COMMAND --help says more", ""]
    return "\n".join(lines + [f"  {name}" for name in COMMANDS])
