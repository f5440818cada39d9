"""Convert a command-line string to a value of an annotated type."""

import ast
import collections.abc
import inspect
import math
import types
from collections.abc import Sequence
from typing import Any, Union, get_args, get_origin

from fire.parser import DefaultParseValue

from .errors import InputError
from .options import as_flag

NONE = "None"
_SEQUENCES = (list, tuple, collections.abc.Sequence)
_MAPPINGS = (dict, collections.abc.Mapping)


def convert(name: str, text: str, annotation: Any) -> Any:
    """Convert a string to the annotated type.

    Args:
        name: Name of the option, for the message: ``--workers``.
        text: The string.
        annotation: Type to convert to: str, a path-like, int, float, bool, None, Any, or a sequence, mapping or union
            of these. In a union with str, a string remains one unless it opens a list or mapping.

    Raises:
        InputError: If the string is empty or cannot be converted.

    Examples:
        >>> convert("--label_map", "{4: 3}", dict[int, int])
        {4: 3}
    """
    if annotation is Any:
        return DefaultParseValue(text)
    if not text.strip():
        raise InputError(f"expected {name} to be {describe(annotation)}, found an empty text")
    try:
        return _value(text, annotation)
    except ValueError as error:
        raise InputError(f"expected {name} to be {describe(annotation)}, found {text!r}") from error


def _value(value: Any, annotation: Any) -> Any:
    """Return a text, or a part of a parsed list or mapping, as a type; ValueError where it is none."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _first_that_fits(value, arguments)
    if (origin or annotation) in _SEQUENCES:
        parts = value if isinstance(value, list | tuple) else _listed(value)
        return _filled([_value(part, arguments[0] if arguments else str) for part in parts])
    if (origin or annotation) in _MAPPINGS:
        parsed = value if isinstance(value, dict) else _parsed(str(value))
        if not isinstance(parsed, dict):
            raise ValueError(value)
        key, item = arguments or (str, str)
        return _filled({_value(name, key): _value(part, item) for name, part in parsed.items()})
    return _scalar(value, annotation)


def _first_that_fits(value: Any, annotations: Sequence[Any]) -> Any:
    """Return a value as the first of the types that takes it."""
    if value in (None, NONE) and type(None) in annotations:
        return None
    types_left = [one for one in annotations if one is not type(None)]
    if isinstance(value, str) and any(_takes_any_text(one) for one in types_left):
        # "RV,LV" stays a text: the function knows how names are separated. A list or mapping is no name.
        kinds = {"{": _MAPPINGS, "[": _SEQUENCES, "(": _SEQUENCES}.get(value.strip()[0], ())
        containers = [one for one in types_left if (get_origin(one) or one) in kinds]
        types_left = containers or [one for one in types_left if _takes_any_text(one)]
    for one in types_left:
        try:
            return _value(value, one)
        except ValueError:
            continue
    raise ValueError(value)


def _takes_any_text(annotation: Any) -> bool:
    return annotation is str or (isinstance(annotation, type) and hasattr(annotation, "__fspath__"))


def _scalar(value: Any, annotation: Any) -> Any:
    text = str(value).strip()
    if annotation is bool:
        return as_flag(text)
    if annotation in (int, float):
        try:
            return int(text)  # also for a float: 2 mm is shown as 2
        except ValueError:
            if annotation is int or not math.isfinite(float(text)):
                raise
            return float(text)
    if _takes_any_text(annotation) and text and not isinstance(value, list | tuple | dict):
        return str(value) if annotation is str or inspect.isabstract(annotation) else annotation(value)
    raise ValueError(value)


def _listed(value: Any) -> Sequence[Any]:
    """Return ``1,2``, ``[1, 2]`` or ``(1, 2)`` as its parts; names need no quotes."""
    text = str(value).strip()
    if not text.startswith(("[", "(")):
        return [part.strip() for part in text.split(",")]
    parsed = _parsed(text)
    if isinstance(parsed, str):  # names that are no Python names, such as [left-atrium, RV]
        if not text.endswith(("]", ")")):
            raise ValueError(text)
        return [part.strip().strip("'\"") for part in text[1:-1].split(",")]
    return parsed if isinstance(parsed, list | tuple) else [parsed]


def _parsed(text: str) -> Any:
    """Return the list or mapping that a text is in Python's notation; names need no quotes."""
    try:
        if _has_key_twice(text):
            raise ValueError(text)
        return DefaultParseValue(text)
    except (TypeError, RecursionError, MemoryError) as error:  # a list as a key; brackets in thousands of brackets
        raise ValueError(text) from error


def _has_key_twice(text: str) -> bool:
    """Whether a text is a mapping of which Python would drop an entry."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return False
    keys = [ast.dump(key) for key in tree.keys if key is not None] if isinstance(tree, ast.Dict) else []
    return len(set(keys)) < len(keys)


def _filled(found: Any) -> Any:
    """Reject an empty list or mapping, which has no meaning for any option."""
    if not found:
        raise ValueError(found)
    return found


def describe(annotation: Any) -> str:
    """Describe in words the values that a type accepts.

    Examples:
        >>> describe(int | None)
        'an integer'
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        words = [describe(one) for one in arguments if one is not type(None)]
        return " or ".join(dict.fromkeys(words))
    if (origin or annotation) in _SEQUENCES:
        plural = {int: "integers", float: "numbers", str: "names"}.get(arguments[0] if arguments else str, "values")
        return f"{plural} with commas between"
    if (origin or annotation) in _MAPPINGS:
        key, item = arguments or (str, str)
        return f"{{{_short(key)}: {_short(item)}, ...}}"
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
    return names.get(annotation, "a path" if _takes_any_text(annotation) else "a value")


def _short(annotation: Any) -> str:
    if (get_origin(annotation) or annotation) in _SEQUENCES:
        return f"[{_short(get_args(annotation)[0])}, ...]"
    return describe(annotation).removeprefix("an ").removeprefix("a ")
