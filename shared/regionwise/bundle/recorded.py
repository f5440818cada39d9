"""Read what a training recorded of its network, and a bundle's configuration, from Python."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ..errors import InputError, find_input_error
from ..files import read_json


def read_network(path: str | Path) -> dict[str, Any]:
    """Read the ``network.json`` of a training: plain values, none of which would be evaluated.

    Raises:
        InputError: If it is missing, no mapping, names no network, or holds an expression, reference or macro.
    """
    content = read_json(path, "a training writes it beside its weights")
    if not isinstance(content, dict):
        raise InputError(f"expected an object in {path}, found {json.dumps(content)[:40]}")
    definition = content.get("network_def")
    if not isinstance(definition, dict) or not isinstance(definition.get("_target_"), str):
        raise InputError(f"expected the network (network_def) in {path}, not found; train again with this version")
    check_plain(content, path)
    return content


def check_plain(content: Mapping[str, Any], path: str | Path) -> None:
    """Check that nothing of a file's content would be evaluated.

    Raises:
        InputError: If it holds an expression, reference or macro.
    """
    for name, text in _texts(content):
        if text.startswith(("$", "@", "%")):
            shown = f"{name}: {text[:80]}".encode("ascii", "backslashreplace").decode()
            raise InputError(f"expected plain values in {path}, found {shown}, which would be evaluated; remove it")


def open_config(bundle: str | Path, name: str, overrides: Mapping[str, Any]) -> ConfigParser:
    """Return the parser of a configuration of a bundle. It is code: open only what you trust.

    Args:
        bundle: Folder of the bundle.
        name: inference, train, ...
        overrides: Id to value.

    Raises:
        InputError: If there is no such configuration, or it is no JSON object.
    """
    path = Path(bundle) / "configs" / f"{name}.json"
    if not path.is_file():
        raise InputError(f"expected a bundle in {bundle}, found no configs/{name}.json")
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"expected an object in {path}, found {json.dumps(content)[:40]}")
    parser = ConfigParser()
    parser.read_config(content)
    parser.update(dict(overrides))
    return parser


def build(parser: ConfigParser, name: str, source: str | Path) -> Any:
    """Return what a configuration describes at an id.

    Args:
        parser: From `open_config`.
        name: The id.
        source: The file or folder to name in the message.

    Raises:
        InputError: If a component cannot be made of what is written.
    """
    try:
        return parser.get_parsed_content(name)
    except (RuntimeError, KeyError) as error:  # MONAI's, of anything that a component raises
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise find_input_error(error) or InputError(f"{source} describes no {name} ({reason[0][:200]})") from error


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the id and text of every key and text of a configuration."""
    if isinstance(value, Mapping | list):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            inner = f"{name}#{key}" if name else str(key)
            yield inner, str(key)
            yield from _texts(part, inner)
    elif isinstance(value, str):
        yield name, value
