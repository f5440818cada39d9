"""Names inside a packed bundle: portable file names, and bundle text made safe to print."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError

# Letters, digits and five signs: no control or escape characters, no look-alikes of other scripts.
PART = re.compile(r"(?![ -])[A-Za-z0-9_.+ -]{1,150}(?<![. ])")
DEVICE = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?", re.IGNORECASE)
LONGEST_PATH = 240
VERSION = re.compile(r"[0-9][0-9A-Za-z]*(?:[.+-][0-9A-Za-z]+)*")
MANIFEST = re.compile(rf"(?P<name>[A-Za-z][A-Za-z0-9_]{{0,99}})_v(?P<version>{VERSION.pattern})\.sha256")
MANIFEST_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<path>\S.*)")


def as_shown(text: object, length: int = 160) -> str:
    """Return text of a bundle on one line that a terminal shows as it is: ASCII, without control characters.

    Args:
        text: anything; other objects are turned into text.
        length: number of characters after which it is cut, with a note of how many there are.
    """
    shown = str(text)[: length + 1].encode("unicode_escape").decode("ascii")
    return shown if len(str(text)) <= length else f"{shown[:length]}... ({len(str(text))} characters)"


def check_member_names(path: Path, names: Sequence[str]) -> None:
    """Check that names stay inside the bundle, are portable, and are unique.

    Args:
        path: of the bundle, for messages.
        names: with ``/``; of folders with ``/`` at the end.

    Raises:
        InputError: If a name is rejected; the message has the first.
    """
    kinds: dict[str, tuple[str, bool]] = {}
    for name in names:
        parts = _checked_parts(path, name)
        for length in range(1, len(parts) + 1):
            below = "/".join(parts[:length])
            is_folder = length < len(parts) or name.endswith("/")
            before, was_folder = kinds.setdefault(below.casefold(), (below, is_folder))
            if before != below:
                raise InputError(f"{path} holds {before} and {below}, one file on some systems; do not use it")
            if not (is_folder and was_folder) and (is_folder != was_folder):
                raise InputError(f"{path} holds {below} as a file and as a folder; do not use it")
    files = [name for name in names if not name.endswith("/")]
    if len(set(files)) < len(files):
        twice = next(name for name in files if files.count(name) > 1)
        raise InputError(f"{path} holds {twice} twice; do not use it")


def _checked_parts(path: Path, name: str) -> list[str]:
    parts = name.removesuffix("/").split("/")
    if not all(parts) or any(part in (".", "..") for part in parts) or any(c in name for c in "\\:\0\n"):
        raise InputError(f"{path} names {as_shown(name)}, which may lead outside the bundle; do not use it")
    if len(name) > LONGEST_PATH or not all(PART.fullmatch(part) and not DEVICE.fullmatch(part) for part in parts):
        raise InputError(f"{path} names {as_shown(name)}, which not every system can write; do not use it")
    return parts
