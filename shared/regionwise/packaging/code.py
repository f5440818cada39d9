"""Find everything in a bundle that is more than wiring, without running any of it; used by ``verify``."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from monai.bundle import ConfigParser

from ..bundle.packed import package_files
from .allowed import COMPONENT_KEYS, FILES, MODES, READERS, WRITERS, bare_names, components
from .archive import PackedBundle
from .expressions import Definitions, find_definitions, is_plain, leads_to_imports
from .json_files import read_json, split_key, walk
from .logging_file import find_logging_code
from .names import as_shown

OWN = "regionwise/"
MOST_SHOWN = 5
# A key becomes part of an expression where a reference is relative to it (``@#size``).
KEY = re.compile(r"[A-Za-z0-9_ .+-]+")
IMPORTABLE = (".py", ".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib", ".pth", ".egg", ".zip")


def find_code(packed: PackedBundle) -> tuple[int, list[str]]:
    """Find code that may run when a bundle is used and is not known to be only wiring.

    Args:
        packed: the bundle; nothing of it is evaluated, imported or unpickled.

    Returns:
        number of `$` expressions, and one line per expression, target, key or file that is not known to be harmless.

    Raises:
        InputError: If JSON readers may disagree about a file; see `read_json`.
    """
    configs = {
        path: read_json(path, content)
        for path, content in sorted(packed.contents.items())
        if path.lower().endswith(".json") and not path.startswith(OWN)
    }
    definitions = find_definitions(list(configs.values()))
    count, found = 0, [*_find_files(packed), *_find_own_code(packed.contents)]
    for path, config in configs.items():
        count += sum(isinstance(value, str) and value.startswith("$") for _, value, _ in walk(config))
        found += [f"{path} {line}" for line in find_config_code(config, definitions)]
    for path, content in packed.contents.items():
        if path.lower().endswith(".conf"):
            found += [f"{path} {line}" for line in find_logging_code(content)]
    return count, found


def find_config_code(config: Any, definitions: Definitions) -> Iterator[str]:
    """Yield one line per value of a configuration that is not known to be only wiring: its id and what it is."""
    for keys, value, _ in walk(config):
        key = "::".join(keys)
        name = keys[-1] if keys else ""
        shown = f"{as_shown(key.replace('::', '#'))}: {as_shown(value)}"
        if isinstance(value, Mapping):
            yield from _strange_keys(as_shown(key.replace("::", "#")), value)
        if name == "_target_":
            if not is_known_target(value):
                yield f"{shown} (a target that is not on the list)"
        elif name == "_mode_":
            if value not in MODES:
                yield f"{shown} (a mode other than {' and '.join(MODES)})"
        elif name in ("reader", "writer"):
            if value not in (READERS if name == "reader" else WRITERS):
                yield f"{shown} (MONAI imports it by its name)"
        elif isinstance(value, str):
            yield from (f"{shown} ({reason})" for reason in _wrong_text(key, value, definitions))


def is_known_target(name: object) -> bool:
    """Return whether a ``_target_`` is a component of `regionwise.packaging.allowed`, under one of its two names.

    Examples:
        >>> is_known_target("DynUNet"), is_known_target("torch.optim.Adam"), is_known_target("os.system")
        (True, True, False)
    """
    return isinstance(name, str) and (name in bare_names() or name in components())


def _strange_keys(key: str, value: Mapping[str, Any]) -> Iterator[str]:
    for one in value:
        parts = split_key(one)
        if not all(KEY.fullmatch(part) for part in parts):
            yield f"{key}: the key {as_shown(one)} (it may become part of an expression)"
        elif parts[-1].startswith("_") and parts[-1] not in COMPONENT_KEYS:
            yield f"{key}: the key {as_shown(one)} (MONAI gives such keys meanings; this one is not known)"


def _wrong_text(key: str, value: str, definitions: Definitions) -> Iterator[str]:
    if value.startswith("$"):
        if not is_plain(value, key, definitions):
            yield "an expression that is more than wiring"
        return
    try:
        text = ConfigParser.resolve_relative_ids(key, value)
    except ValueError:
        text = value
    if text.startswith("%"):
        path, macro = ConfigParser.split_path_id(text[1:])
        if path:
            yield "a macro that reads another file"
        elif leads_to_imports(macro):
            yield "a macro that copies imports"
    elif text.startswith("@") and leads_to_imports(text[1:]):
        yield "a reference to imported modules"
    elif (key and value.startswith(("/", "~", "\\"))) or ".." in PurePosixPath(value.replace("\\", "/")).parts:
        yield "a path outside the bundle"


def _find_files(packed: PackedBundle) -> Iterator[str]:
    for path in sorted(packed.contents):
        # JSON is read and checked like that in configs, wherever it lies.
        if path.startswith(OWN) or FILES.fullmatch(path) or path.lower().endswith(".json"):
            continue
        importable = "/" not in path and path.endswith(IMPORTABLE)
        yield f"{path} ({'Python can import it' if importable else 'a file of a kind that a bundle does not need'})"
    for path in packed.unlisted:
        if path.lower().endswith(IMPORTABLE) or path.startswith("configs/"):
            yield f"{as_shown(path)} (in the folder, but not named by the checksums)"


def _find_own_code(contents: Mapping[str, bytes]) -> list[str]:
    """Return which files of the bundle's copy of this package are not the installed ones."""
    installed = {f"{OWN}{path}": content for path, content in package_files().items()}
    differ = [path for path in sorted(contents) if path.startswith(OWN) and contents[path] != installed.get(path)]
    shown = [f"{path} (not the code of the installed package)" for path in differ[:MOST_SHOWN]]
    more = len(differ) - MOST_SHOWN
    return [*shown, f"{OWN} ({more} more files are not those of the installed package)"] if more > 0 else shown
