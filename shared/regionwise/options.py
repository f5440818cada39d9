"""Convert command-line values: switches and paths."""

import os
from pathlib import Path

from .errors import InputError

SWITCHES = {"true": True, "false": False}


def as_flag(value: bool | str, name: str = "") -> bool:
    """Return a switch as a bool.

    MONAI's runner reads ``--resume true`` as the text "true", and in Python any non-empty string is true, even "false".

    Args:
        value: True, False, or "true" or "false" in any case.
        name: of the option, for the message.

    Raises:
        InputError: If the value is anything else.

    Examples:
        >>> as_flag("False")
        False
    """
    flag = SWITCHES.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        option = f"--{name} to be " if name else ""
        raise InputError(f"expected {option}true or false, found {value!r}")
    return flag


def as_path(value: str | os.PathLike | int | float, name: str = "") -> Path:
    """Return a path; a number is taken as a name, since the command line parses ``2026`` as one.

    Args:
        value: the path.
        name: of the option, for the message.

    Raises:
        InputError: If the value is empty, a switch, or no path at all.

    Examples:
        >>> as_path(2026).name
        '2026'
    """
    problem = find_path_problem(value)
    if problem:
        raise InputError(f"expected {f'--{name} to be ' if name else ''}a path, found {problem}")
    return Path(str(value)) if isinstance(value, int | float) else Path(value)


def find_path_problem(value: object) -> str:
    """Return why a value is not a path ("" if it is one)."""
    if isinstance(value, bool) or not isinstance(value, str | os.PathLike | int | float):
        return repr(value)
    return "" if str(value).strip() else "an empty text"
