"""Files that are too large for the model zoo's repository: ``large_files.json`` says where they are hosted."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ..errors import InputError
from .json_files import read_json
from .names import as_shown
from .packed_configs import json_bytes

LIMIT_MIB = 25
FILE = "large_files.json"
"""One of the names that ``monai.bundle download_large_files`` and the model zoo look for."""
ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[\w.~%+@=-]+)*/?")


def find_large_files(contents: Mapping[str, bytes]) -> list[str]:
    """Return the paths of the files above the model zoo's limit, sorted."""
    return sorted(path for path, content in contents.items() if len(content) > LIMIT_MIB * 2**20)


def large_files_json(contents: Mapping[str, bytes], address: str) -> bytes:
    """Return ``large_files.json``: path, address and SHA-256 of each large file.

    Args:
        contents: Path to content.
        address: Where a folder with these paths is hosted.

    Raises:
        InputError: If it is no https address.
    """
    if not ADDRESS.fullmatch(address):
        raise InputError(f"expected --url to be an address such as https://example.org/acdc_rrw, found {address!r}")
    entries = [
        {
            "path": path,
            "url": f"{address.rstrip('/')}/{path}",
            "hash_val": sha256(contents[path]).hexdigest(),
            "hash_type": "sha256",
        }
        for path in find_large_files(contents)
    ]
    return json_bytes({"large_files": entries})


def describe_large_files(contents: Mapping[str, bytes]) -> str:
    """Describe the large files in a line ("" if there are none) after checking what ``large_files.json`` says of them.

    Raises:
        InputError: If it names another file, another content or no https address: who downloads by it would get
            something else than this bundle.
    """
    large = find_large_files(contents)
    if FILE not in contents:
        hint = f"the model zoo wants {FILE}, which pack writes with --url"
        return f"{', '.join(large)} above {LIMIT_MIB} MiB: {hint}" if large else ""
    content = read_json(FILE, contents[FILE])
    entries = content.get("large_files") if isinstance(content, dict) else None
    for entry in entries if isinstance(entries, list) and entries else [None]:
        _check(entry, contents)
    return f"{', '.join(entry['path'] for entry in entries or [])} hosted as {FILE} says"


def _check(entry: Any, contents: Mapping[str, bytes]) -> None:
    keys = {"path", "url", "hash_val", "hash_type"}
    if not isinstance(entry, dict) or entry.keys() != keys or not all(isinstance(one, str) for one in entry.values()):
        raise InputError(f"expected files with {', '.join(sorted(keys))} in {FILE}, found {as_shown(str(entry), 80)}")
    path, url = entry["path"], entry["url"]
    if path not in contents:
        raise InputError(f"{FILE} names {as_shown(path)}, which is not in the bundle")
    if entry["hash_type"] != "sha256" or entry["hash_val"] != sha256(contents[path]).hexdigest():
        raise InputError(f"{FILE} has another SHA-256 of {as_shown(path)} than the bundle")
    if not ADDRESS.fullmatch(url):
        raise InputError(f"expected an https address of {as_shown(path)} in {FILE}, found {as_shown(url)}")
