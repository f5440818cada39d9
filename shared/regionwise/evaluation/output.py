"""Output folder of a command: nothing is overwritten by accident, and results are written all or none."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from ..errors import InputError
from ..files import atomic_path, check_outputs, find_write_problem

__all__ = ["as_folder", "check_outputs", "check_writable", "write_texts"]


def as_folder(out: str | os.PathLike | None, command: str) -> Path:
    """Convert --out.

    Raises:
        InputError: If it is missing or empty.
    """
    if out is None or not str(out).strip():
        raise InputError(f"'{command}' needs --out, a folder to write to; see python -m regionwise {command} --help")
    return Path(out)


def check_writable(out: Path) -> None:
    """Check that a folder can be written to, or made, without making it.

    Raises:
        InputError: If it, or what it would be made in, is a file or read-only.
    """
    problem = find_write_problem(out, "--out")
    if problem:
        raise InputError(problem)


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write several UTF-8 text files: all are complete under temporary names before the first gets its own.

    Raises:
        InputError: If one cannot be written (disk full, read-only folder); then none is.
    """
    try:
        with ExitStack() as stack:
            for path, text in texts.items():
                stack.enter_context(atomic_path(path)).write_text(text, encoding="utf-8")
    except OSError as error:
        names = ", ".join(path.name for path in texts)
        raise InputError(f"cannot write {names} to {next(iter(texts)).parent}: {error.strerror or error}") from error
