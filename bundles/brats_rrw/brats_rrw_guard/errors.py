"""The exception for bad input, and wording helpers for its messages."""

import errno
import re
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from types import TracebackType


class InputError(ValueError):
    """Error for input that cannot be used, with a message of one line for the user.

    The message is one line: what was expected, what came, which file or key, what to do. Commands print it and exit
    with status 1; any other exception is a bug and keeps its traceback.
    """


_IN_TRACEBACK = re.compile(rf"^{re.escape(__name__)}\.{InputError.__name__}: (.+)$", re.MULTILINE)

_SYSTEM_ERRORS = {
    errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.EFBIG, errno.EEXIST, errno.ENOTDIR,
    errno.EISDIR, errno.ENAMETOOLONG, errno.EIO,
}  # fmt: skip
# MONAI and PyTorch keep the text of such an error only.
_SYSTEM_ERROR = re.compile(
    r"((?:No space left on device|Read-only file system|Permission denied|File too large|Disk quota exceeded).*)"
)


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return the hint that follows an unknown name.

    Args:
        name: what was given.
        choices: the names that exist.

    Returns:
        ``did you mean 'x'? choices: a, b, x`` (without the question if no choice is similar).
    """
    choices = [str(choice) for choice in choices]
    nearest = get_close_matches(str(name), choices, n=1, cutoff=0.5)
    question = f"did you mean '{nearest[0]}'? " if nearest else ""
    return f"{question}choices: {', '.join(choices)}"


def find_input_error(error: BaseException | None) -> InputError | None:
    """Return the `InputError` that caused ``error``, through whatever MONAI wrapped around it, or None.

    A `DataLoader` worker passes its errors on as the text of a traceback; they are found in that text.
    """
    for one in _chain(error):
        told = _IN_TRACEBACK.search(str(one)) if "in DataLoader worker process" in str(one) else None
        if told:
            return InputError(told.group(1))
        if isinstance(one, InputError):
            return one
    return None


def describe_in_one_line(error: BaseException) -> str | None:
    """Return one line for an error that the user can fix, or None for a bug.

    Bad input; what the system refuses (a full disk, a folder that cannot be written to), also where MONAI wrapped it
    or kept its text only; too little memory; and Ctrl-C.
    """
    problem = find_input_error(error)
    if problem is not None:
        return str(problem)
    for one in _chain(error):
        if isinstance(one, KeyboardInterrupt):
            return (
                "interrupted; what is finished is kept, and a training goes on with the same command and --resume true"
            )
        if isinstance(one, MemoryError) or "not enough memory" in str(one) or "out of memory" in str(one):
            return (
                f"not enough memory ({str(one).splitlines()[0] if str(one) else type(one).__name__}); use smaller input"
            )
        if isinstance(one, OSError) and one.errno in _SYSTEM_ERRORS:
            return str(one.strerror) + (f": {one.filename}" if one.filename is not None else "")
        told = _SYSTEM_ERROR.search(str(one))
        if told:
            return told.group(1)
    return None


def show_input_errors_in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error as ``error: ...`` where `describe_in_one_line` knows it, else with its traceback (a hook)."""
    line = describe_in_one_line(error)
    if line is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"error: {line}", file=sys.stderr)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and, one after another, what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
