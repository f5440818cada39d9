"""Strict JSON of a packed bundle: only what all readers read alike."""

from collections.abc import Iterator
from typing import Any

from ..errors import InputError
from ..files import parse_json

LARGEST_JSON_BYTES = 4 * 2**20
DEEPEST = 40


def read_json(path: str, content: bytes) -> Any:
    r"""Parse a JSON file of a bundle strictly.

    Rejected is what readers read differently: see `regionwise.files.parse_json`, and characters beyond ASCII, which
    MONAI decodes by the locale of the machine (JSON can write them as ``\u00e9``).

    Args:
        path: inside the bundle, for messages.
        content: the file.

    Raises:
        InputError: If it is rejected, too large, too deep or not ASCII.
    """
    if len(content) > LARGEST_JSON_BYTES:
        raise InputError(f"{path} is larger than {LARGEST_JSON_BYTES // 2**20} MiB; configurations are small")
    if not content.isascii():
        raise InputError(f"{path} holds characters beyond ASCII; write them as \\uXXXX, so that all read the same")
    try:
        config = parse_json(content.decode("ascii"))
        depth = max(depth for _, _, depth in walk(config))
    except RecursionError as error:
        raise InputError(f"{path} is nested more than {DEEPEST} deep") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})") from error
    if depth > DEEPEST:
        raise InputError(f"{path} is nested more than {DEEPEST} deep")
    return config


def walk(config: Any) -> Iterator[tuple[tuple[str, ...], Any, int]]:
    """Yield every value with its keys from the top and its depth, in order, without recursion.

    Keys such as ``handlers#0#name`` or ``handlers::0``, which MONAI takes apart, are taken apart here, and the ``+`` of
    keys that merge is left out.
    """
    stack: list[tuple[tuple[str, ...], Any, int]] = [((), config, 0)]
    while stack:
        keys, value, depth = stack.pop()
        yield keys, value, depth
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, part in reversed(list(pairs)):
            stack.append(((*keys, *split_key(str(key))), part, depth + 1))


def split_key(key: str) -> list[str]:
    """Return the parts of a key as MONAI takes it apart."""
    return key.removeprefix("+").replace("#", "::").split("::")
