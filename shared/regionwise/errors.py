"""The one exception that means "what was given is wrong", and the wording helpers its messages share."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one line: what was expected, what came, which file or key, what to do. Commands print it and exit
    with status 1; everything else keeps its traceback, because it is a defect of ours.
    """


_IN_TRACEBACK = re.compile(rf"^{re.escape(__name__)}\.{InputError.__name__}: (.+)$", re.MULTILINE)


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return the sentence that helps after a wrong name.

    Args:
        name: what was given.
        choices: the names that exist.

    Returns:
        ``did you mean 'x'? choices: a, b, x`` (without the question where nothing is near).
    """
    choices = [str(choice) for choice in choices]
    nearest = get_close_matches(str(name), choices, n=1, cutoff=0.5)
    question = f"did you mean '{nearest[0]}'? " if nearest else ""
    return f"{question}choices: {', '.join(choices)}"


def find_input_error(error: BaseException | None) -> InputError | None:
    """Return the `InputError` that caused ``error``, through whatever MONAI wrapped around it, or None.

    A process of a `DataLoader` hands its errors on as the text of a traceback; they are found in there.
    """
    while error is not None:
        told = _IN_TRACEBACK.search(str(error)) if "in DataLoader worker process" in str(error) else None
        if told:
            return InputError(told.group(1))
        if isinstance(error, InputError):
            return error
        error = error.__cause__ or error.__context__
    return None
