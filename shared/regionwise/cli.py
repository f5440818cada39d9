"""The command line: ``python -m regionwise <command> [--option value ...]``, or ``regionwise <command> ...``."""

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from . import __version__
from .errors import InputError, describe_in_one_line, did_you_mean

# Each command is a function of the module that owns the subject. A module is imported only when its command runs: help
# is read from its source, since importing PyTorch and SciPy takes seconds.
COMMANDS = {
    "phantom": "regionwise.phantoms.write:phantom",
    "check": "regionwise.datasets.check:check",
    "evaluate": "regionwise.evaluation.evaluate:evaluate",
    "predict": "regionwise.prediction.predict:predict",
    "calibrate": "regionwise.calibration.calibrate:calibrate",
    "compare": "regionwise.evaluation.comparison.compare:compare",
    "fuse": "regionwise.fusion.command:fuse",
    "quantize": "regionwise.packaging.quantize:quantize",
    "next": "regionwise.active.next_scans:next_scans",
    "replay": "regionwise.active.replay:replay",
    "gradients": "regionwise.diagnostics:gradients",
    "lint": "regionwise.bundle.lint:lint",
    "pack": "regionwise.packaging.pack:pack",
    "verify": "regionwise.packaging.verify:verify",
    "export": "regionwise.packaging.export:export",
    "dicom": "regionwise.packaging.dicom:dicom",
    "push": "regionwise.packaging.hub:push",
    "pull": "regionwise.packaging.hub:pull",
}

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        words: The command and its options; by default those that the process was started with.

    Returns:
        The exit status: 0, 1 after bad input or a file that cannot be read or written (one line on stderr), or 130
        after Ctrl-C.
    """
    words = list(sys.argv[1:] if words is None else words)
    try:
        return _run(words)
    except KeyboardInterrupt:
        print(f"interrupted: {words[0]} did not finish", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        # No defect of ours: bad input, also where MONAI wrapped it; a full disk; a folder that is a file.
        line = _describe(error) if isinstance(error, OSError) else describe_in_one_line(error)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        return 1


def _run(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0
    if words[0] == "--version":
        print(f"regionwise {__version__}")
        return 0
    command, options = words[0], words[1:]
    if command not in COMMANDS:
        raise InputError(f"Unknown command '{command}'; {did_you_mean(command, COMMANDS)}")
    if "-h" in options or "--help" in options:
        print(_help(command))
        return 0
    from .arguments import bind

    function = _load(command)
    positional, named = bind(command, function, options)
    result = function(*positional, **named)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _load(command: str) -> Callable:
    module, function = COMMANDS[command].split(":")
    return getattr(importlib.import_module(module), function)


def _describe(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{reason}: {error.filename}" if error.filename else reason


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = ["usage: regionwise COMMAND [--option value ...]   (or python -m regionwise COMMAND ...)", ""]
    lines += [f"  {name:{width}}  {_docstring(_source(name)).splitlines()[0]}" for name in COMMANDS]
    lines += ["", "regionwise COMMAND --help explains a command, regionwise --version names the version."]
    return "\n".join(lines)


def _help(command: str) -> str:
    """Return synopsis and docstring of a command, without importing its module."""
    function = _source(command)
    start = f"usage: regionwise {command}"
    # An option and its value stay on one line.
    parts = " ".join([start, *(option.replace(" ", "\xa0") for option in _options(function))])
    synopsis = textwrap.fill(parts, 100, subsequent_indent=" " * 4, break_on_hyphens=False, break_long_words=False)
    return "\n".join([synopsis.replace("\xa0", " "), "", _docstring(function)])


def _options(function: ast.FunctionDef) -> list[str]:
    given = function.args
    required: list[ast.expr | None] = [None] * (len(given.args) - len(given.defaults))
    defaults = [*required, *given.defaults, *given.kw_defaults]
    options = [
        f"--{parameter.arg} VALUE" if default is None else f"[--{parameter.arg} {_shown(default)}]"
        for parameter, default in zip([*given.args, *given.kwonlyargs], defaults, strict=True)
    ]
    if given.vararg:
        options.append(f"[{given.vararg.arg.upper()} ...]")
    if given.kwarg:
        options.append("[--key value ...]")
    return options


def _shown(default: ast.expr) -> str:
    if isinstance(default, ast.Constant) and isinstance(default.value, str):
        return default.value
    return ast.unparse(default)


def _docstring(function: ast.FunctionDef) -> str:
    return inspect.cleandoc(ast.get_docstring(function) or "")


def _source(command: str) -> ast.FunctionDef:
    """Return the definition of a command's function from its source; importing a parent would load what it needs."""
    module, name = COMMANDS[command].split(":")
    package, *rest = module.split(".")
    # Only the top package is looked up: looking up what is below it would import its parents.
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, module
    path = Path(spec.origin).parent.joinpath(*rest).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
