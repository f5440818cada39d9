"""Reject private content of a bundle: paths of this machine, and scans or names of patients."""

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import InputError

# Folders that hold people's files; a path of a manual, such as /data/ACDC, is none.
MACHINE_PATH = re.compile(
    r"(?<![\w.$~}/-])(/(?:home|Users|root|tmp|mnt|media|scratch|private|Volumes|run/user)/[\w.~@+-]+|[A-Za-z]:\\{1,2}\w+)"
)
TEXT = {".json", ".md", ".txt", ".conf", ".py", ".j2", ".yaml", ".yml", ".csv", ".svg", ""}
PICTURES = {".png", ".jpg", ".jpeg", ".gif"}


def refuse_machine_paths(contents: Mapping[str, bytes], own: Iterable[Path]) -> None:
    """Refuse text files that name a path of this machine.

    Args:
        contents: path inside the bundle to bytes.
        own: folders of this run, whose names must not appear either.

    Raises:
        InputError: If a path is found; the message has file, line and path.
    """
    folders = {str(folder.resolve()) for folder in (*own, Path.home(), Path.cwd(), Path(tempfile.gettempdir()))}
    folders = {folder for folder in folders if len(Path(folder).parts) > 2}  # "/data" alone may be any text
    exact = re.compile("|".join(f"{re.escape(folder)}(?![\\w-])" for folder in sorted(folders)) or "(?!)")
    for path, content in contents.items():
        if Path(path).suffix not in TEXT:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            match = exact.search(line) or MACHINE_PATH.search(line)
            if match:
                raise InputError(f"{path}, line {number}, names a path of this machine: {match[0]}; remove it")


def refuse_patient_data(contents: Mapping[str, bytes], cases: Iterable[str] = ()) -> None:
    """Refuse files that may hold scans, and texts that name cases.

    Only text, pictures and weights are packed: a bundle needs neither image volumes nor tables of cases.

    Args:
        contents: path inside the bundle to bytes.
        cases: names of the cases of the evaluation; only those with a digit and four characters can be told from words.

    Raises:
        InputError: If one is found; the message has the file.
    """
    names = [name for name in cases if len(name) >= 4 and any(character.isdigit() for character in name)]
    named = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names) or "(?!)")
    for path, content in contents.items():
        if path == "models/model.pt":
            continue
        suffix = Path(path).suffix.lower()
        if suffix not in TEXT | PICTURES or content[128:132] == b"DICM" or (suffix in TEXT and b"\0" in content):
            raise InputError(f"{path} may hold patient data: only text, pictures and models/model.pt are packed")
        match = named.search(content.decode("utf-8", "replace")) if path.startswith(("docs/", "configs/")) else None
        if match:
            raise InputError(f"{path} names the case {match[0]}; a bundle holds means, no cases")
