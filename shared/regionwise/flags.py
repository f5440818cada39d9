"""Switches from a command line that keeps ``true`` as text."""

from .errors import InputError

TEXTS = {"true": True, "false": False}


def is_on(value: bool | str, other: bool | str = False) -> bool:
    """Return whether a switch, or the other one, is on.

    The bundle runner reads ``--resume true`` as the text "true", and any text, "false" too, counts as true in Python.

    Args:
        value: True, False, or "true" or "false" in any case.
        other: a second switch.

    Raises:
        InputError: a value is neither.
    """
    results = []
    for one in (value, other):
        result = TEXTS.get(one.strip().lower()) if isinstance(one, str) else one
        if not isinstance(result, bool):
            raise InputError(f"expected true or false, found {one!r}")
        results.append(result)
    return any(results)
