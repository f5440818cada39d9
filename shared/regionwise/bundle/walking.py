"""Walk a configuration; wording shared by its checks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import did_you_mean


def walk(config: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of a nested configuration with its id."""
    yield path, config
    pairs = (
        config.items() if isinstance(config, Mapping) else enumerate(config) if isinstance(config, list | tuple) else ()
    )
    for key, value in pairs:
        if key != "_meta_":
            yield from walk(value, f"{path}#{key}" if path else str(key))


def nearest_only(name: str, choices: Sequence[str]) -> str:
    """Return the suggestion of `did_you_mean` without its list, which can be all of MONAI."""
    sentence = did_you_mean(name.rpartition(".")[2], choices)
    return sentence.split("choices:")[0].strip() or "nothing there has a name like it; check the spelling"


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
