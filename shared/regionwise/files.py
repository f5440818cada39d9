"""Atomic files: everything is written to a temporary name and renamed."""

import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from .errors import InputError

_STALE_SECONDS = 24 * 3600  # of what another machine left, whose processes cannot be asked for
_cleaned: set[Path] = set()


def parse_json(text: str) -> Any:
    """Parse JSON that every reader reads alike.

    Rejected beside what is not JSON: a key twice in one object, of which some readers take the first and some the last,
    and NaN and infinity, which JSON does not have.

    Raises:
        ValueError: If the text is rejected.
        RecursionError: If it is nested too deep.

    Examples:
        >>> parse_json('{"epochs": 1, "epochs": 2}')
        Traceback (most recent call last):
        ValueError: the key 'epochs' is there twice in one object
    """
    return json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_number)


def read_json(path: str | os.PathLike, hint: str = "") -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        hint: what to do about a bad one, for the message.

    Raises:
        InputError: If it is missing, not in UTF-8, or rejected by `parse_json`.
    """
    path, ending = Path(path), f"; {hint}" if hint else ""
    if not path.is_file():
        raise InputError(f"expected a JSON file at {path}, not found{ending}")
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({str(error).splitlines()[0]}){ending}") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:80]!a} is there twice in one object")
        found[key] = value
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON; use null")


def content_digest(path: str | os.PathLike) -> str:
    """Return a digest of a file's content: of a .gz the CRC-32 and length at its end, else the SHA-256 of all bytes.

    Raises:
        InputError: If the file does not exist.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a file at {path}, not found")
    if path.suffix != ".gz":
        return sha256(path.read_bytes()).hexdigest()
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8))
        return file.read().hex()


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it to ``path`` when the block ends without an error.

    A block that raises, or a process that is killed, leaves ``path`` as it was. The temporary name keeps the suffixes
    of ``path`` because nibabel and NumPy choose the format by them.

    Args:
        path: the file to write; its folder is created.
    """
    path = Path(path)
    _prepare(path.parent)
    # A name may be as long as the file system allows; the end of it holds the suffixes.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(), suffix="-" + path.name[-100:])
    os.close(handle)
    temporary = Path(name)
    try:
        # mkstemp makes files private; a result is meant to be read by whoever may read the folder.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` and rename it to ``path`` when the block ends without an error.

    Args:
        path: the folder to write. If it exists by then (another process was faster), the existing one stays.
    """
    path = Path(path)
    _prepare(path.parent)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_prefix()))
    try:
        temporary.chmod(0o755)
        yield temporary
        if not path.exists():
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write strict JSON atomically.

    Raises:
        ValueError: If ``content`` holds NaN or infinity, which JSON cannot express; use None.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def find_write_problem(folder: Path, option: str) -> str:
    """Return why a folder cannot be written to, or made, without making it ("" if it can).

    Args:
        folder: the folder.
        option: what named it, for the message.
    """
    place = folder
    try:
        while not place.exists() and place != place.parent:
            if place.is_symlink():
                return f"expected a folder to write to as {option}, found a broken link at {place}"
            place = place.parent
    except OSError as error:  # a name that no file system takes
        return f"expected a folder to write to as {option}, found {str(folder)[:80]!r}: {error.strerror}"
    if not place.is_dir():
        return f"expected a folder to write to as {option}, found a file at {place}"
    return "" if os.access(place, os.W_OK | os.X_OK) else f"cannot write to {place}: it is read-only"


def check_outputs(
    outputs: Iterable[Path], inputs: Iterable[Path], overwrite: bool = False, option: str = "--out"
) -> None:
    """Check that no file to write is an input, whatever links lead to it, or is there already.

    Args:
        outputs: Files to write.
        inputs: Files that are read.
        overwrite: Accept files that are there already; never inputs.
        option: Names the output, for the message.

    Raises:
        InputError: If a file would be lost.
    """
    kept = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in kept:
            raise InputError(f"{path} is one of the inputs and would be overwritten; choose another {option}")
        if path.is_dir():
            raise InputError(f"expected to write a file at {path}, found a folder; choose another {option}")
        if not overwrite and (path.exists() or path.is_symlink()):
            raise InputError(f"{path} is there already; choose another {option}, or pass --overwrite to replace it")


def remove_leftovers(folder: str | os.PathLike) -> None:
    """Remove the temporary files and folders that killed processes left in a folder.

    Those of a process that runs on this machine stay, and those of other machines for a day.
    """
    for path in Path(folder).glob(".writing-*"):
        if _is_stale(path):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _prepare(folder: Path) -> None:
    """Make a folder and, once per process, remove what killed processes left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder not in _cleaned:
        _cleaned.add(folder)
        remove_leftovers(folder)


def _prefix() -> str:
    return f".writing-{_host()}-{os.getpid()}-"


def _host() -> str:
    return "".join(letter for letter in socket.gethostname() if letter.isalnum())[:40]


def _is_stale(path: Path) -> bool:
    host, _, rest = path.name.removeprefix(".writing-").partition("-")
    process = rest.partition("-")[0]
    if host == _host() and process.isdecimal() and os.name == "posix":
        return not _is_running(int(process))
    try:
        return time.time() - path.stat().st_mtime > _STALE_SECONDS
    except OSError:  # finished or removed meanwhile
        return False


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks only
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
