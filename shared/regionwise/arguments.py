"""Bind command-line words to the arguments of a function by its type annotations."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_type_hints

from .errors import InputError, did_you_mean
from .values import convert


def bind(command: str, function: Callable, words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """Bind command-line words to the parameters of a function.

    Args:
        command: Name of the command, for messages.
        function: Function with an annotation for each parameter, see `regionwise.values.convert`.
        words: ``--name value``, ``--name=value``, ``--switch``, ``--noswitch``, and values without a name in the order
            of the parameters. Hyphens in names count as underscores.

    Returns:
        Positional and keyword arguments.

    Raises:
        InputError: If a name does not exist or is given twice, a value is missing or not of the annotated type, or a
            required parameter is not given.

    Examples:
        >>> def crop(path: str, margin: int = 0, strict: bool = False): ...
        >>> bind("crop", crop, ["--margin", "-2", "scan.nii", "--strict"])
        (['scan.nii'], {'margin': -2, 'strict': True})
    """
    parameters = inspect.signature(function).parameters
    hints = get_type_hints(function)
    named: dict[str, Any] = {}
    bare: list[str] = []
    for name, text in _split(command, parameters, hints, words):
        if name is None:
            bare.append(text)
        elif name in named:
            raise InputError(f"'{command}' got --{name} twice; give it once")
        else:
            named[name] = convert(f"--{name}", text, hints.get(name, Any))
    positional = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    open_places = [p for p in positional if p.name not in named]
    rest = next((p for p in parameters.values() if p.kind is p.VAR_POSITIONAL), None)
    if len(bare) > len(open_places) and rest is None:
        raise InputError(f"'{command}' does not know what '{bare[len(open_places)]}' is for; put --NAME before it")
    for parameter, text in zip(open_places, bare, strict=False):
        named[parameter.name] = convert(f"--{parameter.name}", text, hints.get(parameter.name, Any))
    missing = [p.name for p in parameters.values() if _is_required(p) and p.name not in named]
    if missing:
        raise InputError(f"'{command}' needs --{missing[0]}; see python -m regionwise {command} --help")
    if rest is None or len(bare) <= len(open_places):
        return [], named
    # Values beyond the parameters with a name: those that come before must be positional too.
    first = [named.pop(p.name) if p.name in named else p.default for p in positional]
    more = [convert(f"--{rest.name}", text, hints.get(rest.name, Any)) for text in bare[len(open_places) :]]
    return [*first, *more], named


def _is_required(parameter: inspect.Parameter) -> bool:
    takes_many = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not takes_many


def _split(
    command: str, parameters: Mapping[str, inspect.Parameter], hints: Mapping[str, Any], words: Sequence[str]
) -> Iterator[tuple[str | None, Any]]:
    """Yield (name, text) per option and (None, text) per value without a name."""
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    names = [name for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not _is_option(word):
            yield None, word
            continue
        flag, equals, text = word.partition("=")
        name = flag.lstrip("-").replace("-", "_")
        switch = hints.get(name) is bool
        if name not in names and name.removeprefix("no") in names and hints.get(name.removeprefix("no")) is bool:
            yield name.removeprefix("no"), "false"
        elif not flag.startswith("--") or (name not in names and not takes_any):
            raise InputError(f"'{command}' has no option {flag}; {did_you_mean(name, sorted(names))}")
        elif equals:
            yield name, text
        elif queue and not _is_option(queue[0]):
            yield name, queue.pop(0)
        elif switch or name not in names:
            yield name, "true" if switch else "True"
        else:
            raise InputError(f"expected a value after --{name}, found {queue[0] if queue else 'nothing'}")


def _is_option(word: str) -> bool:
    """Whether a word starts an option; -1 and -.5 are numbers."""
    return len(word) > 1 and word[0] == "-" and not (word[1].isdigit() or word[1] == ".")
