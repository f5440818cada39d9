"""The files of a BIDS tree, and what describes them."""

import csv
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import read_json
from .names import BidsFile, parse_name

DESCRIPTION = "dataset_description.json"
DERIVATIVES = "derivatives"


def open_tree(folder: str | os.PathLike | None, kind: str = "raw") -> Path:
    """Return the root of a BIDS dataset after checking that it is one.

    Args:
        folder: What the user gave.
        kind: ``raw`` or ``derivative``, for the message.

    Raises:
        InputError: If it is no folder, or has no ``dataset_description.json`` with a ``BIDSVersion``.
    """
    if folder is None or str(folder).strip() == "":
        raise InputError("no dataset given: pass --dataset_dir DIR with a BIDS tree (dataset_description.json, sub-*)")
    root = Path(str(folder)).expanduser()
    if not root.is_dir():
        raise InputError(
            f"expected a BIDS dataset ({kind}) in {root}, found {'a file' if root.exists() else 'nothing'}"
        )
    content = read_json(root / DESCRIPTION, "BIDS asks for it")
    if not isinstance(content, dict) or "BIDSVersion" not in content:
        raise InputError(f"expected a BIDSVersion in {root / DESCRIPTION}, found none")
    return root


def find_files(root: Path) -> list[BidsFile]:
    """Return the NIfTI files of the subjects of a tree, sorted; what ``.bidsignore`` names is left out."""
    ignored = _ignored(root)
    found = []
    for path in _walk(root):
        relative = path.relative_to(root).as_posix()
        file = None if any(_is_ignored(relative, pattern) for pattern in ignored) else parse_name(path)
        if file is not None:
            found.append(file)
    return found


def read_participants(root: Path) -> dict[str, dict[str, str]]:
    """Return the rows of ``participants.tsv`` by ``participant_id``; {} if there is no such file.

    Raises:
        InputError: If it is not UTF-8 text, or has no column ``participant_id``.
    """
    path = root / "participants.tsv"
    if not path.is_file():
        return {}
    rows = read_tsv(path, "participant_id")
    return {row["participant_id"]: row for row in rows}


def read_tsv(path: Path, *columns: str) -> list[dict[str, str]]:
    """Return the rows of a table with tabs.

    Raises:
        InputError: If it is not UTF-8 text, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, delimiter="\t")
            names, rows = table.fieldnames or [], list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table with tabs in UTF-8; export it again") from error
    for column in columns:
        if column not in names:
            raise InputError(f"expected a column {column} in {path}, found {', '.join(names) or 'nothing'}")
    return rows


def describe_dataset(name: str, version: str, links: dict[str, str]) -> dict[str, Any]:
    """Return the content of a derivative's ``dataset_description.json``.

    Args:
        name: Name of the derivative.
        version: Version of the package that made it.
        links: Name of a dataset to its relative path, for ``bids:NAME:path``.
    """
    return {
        "Name": name,
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "License": "See the license of the source dataset",
        "GeneratedBy": [{"Name": "regionwise", "Version": version}],
        "DatasetLinks": links,
    }


def _walk(root: Path) -> Iterator[Path]:
    for subject in sorted(root.glob("sub-*")):
        if subject.is_dir():
            # Links are followed: trees of datalad are made of them.
            for folder, _, names in sorted(os.walk(subject, followlinks=True)):
                yield from (Path(folder) / name for name in sorted(names))


def _ignored(root: Path) -> list[str]:
    path = root / ".bidsignore"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _is_ignored(relative: str, pattern: str) -> bool:
    """Return whether a pattern of ``.bidsignore`` (as of .gitignore, without ``!``) names a file or a folder above."""
    pattern = re.sub(r"\*\*/?", "*", pattern).rstrip("/")
    parts = relative.split("/")
    if "/" not in pattern:
        return any(fnmatch(part, pattern) for part in parts)
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(fnmatch(one, pattern.lstrip("/")) for one in above)
