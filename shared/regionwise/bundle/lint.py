"""Find what is wrong in a bundle's configuration before anything heavy is built."""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pydoc import ErrorDuringImport, locate
from typing import Any

from monai.bundle import ComponentLocator, ConfigComponent, ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver

from ..errors import did_you_mean
from .rules import wrong_network, wrong_values


def lint(config: str | Sequence[str], **overrides: Any) -> int:
    """Check a bundle configuration with its overrides and print what is wrong, one line each.

    Checked: the files are JSON; every override key exists; every ``_target_`` exists; every ``@reference`` leads
    somewhere; the values of the ids that people set are of the right kind and range.

    Args:
        config: a config file, or several that are merged in order.
        overrides: as on the runner's command line: ``--epochs 5 --loss focal``.

    Returns:
        0 when nothing is wrong, else 1.
    """
    problems = find_problems([config] if isinstance(config, str) else list(config), overrides)
    for problem in problems:
        print(f"error: {problem}")
    if not problems:
        print("nothing wrong found")
    return int(bool(problems))


def find_problems(config_files: Sequence[str], overrides: Mapping[str, Any]) -> list[str]:
    """Return what is wrong in a configuration, one line each; see `lint`."""
    parser = ConfigParser()
    for file in config_files:
        problem = _unreadable(Path(file))
        if problem:
            return [problem]
    parser.read_config(list(config_files))
    metadata = Path(config_files[0]).parent / "metadata.json"
    if metadata.is_file():
        parser.read_meta(str(metadata))
    problems = [
        f"there is no id '{key}' in {', '.join(config_files)}; {_nearest_only(key, _siblings(parser, key))}"
        for key in overrides
        if key not in parser
    ]
    known = {key: value for key, value in overrides.items() if key in parser}
    parser.update(pairs=known)
    parser.resolve_macro_and_relative_ids()
    config = parser.get()
    problems += wrong_values(config) or wrong_network(config)
    problems += _wrong_targets(config)
    problems += _wrong_references(parser)
    return problems


def _unreadable(path: Path) -> str:
    if not path.is_file():
        there = sorted(file.name for file in path.parent.glob("*.json")) if path.parent.is_dir() else []
        return f"expected a config file at {path}, found none; {did_you_mean(path.name, there)}"
    if path.suffix == ".json":
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            return f"{path} is not JSON ({error})"
    return ""


def _siblings(parser: ConfigParser, key: str) -> list[str]:
    """Return the ids at the level where ``key`` would stand."""
    parent, found, _ = key.replace("::", "#").rpartition("#")
    level = parser.get(parent) if found and parent in parser else parser.get()
    if not isinstance(level, Mapping):
        return []
    prefix = f"{parent}#" if found and parent in parser else ""
    return [prefix + name for name in level if not name.startswith("_")]


def _walk(config: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of a nested configuration with its id."""
    yield path, config
    pairs = (
        config.items() if isinstance(config, Mapping) else enumerate(config) if isinstance(config, list | tuple) else ()
    )
    for key, value in pairs:
        if key != "_meta_":
            yield from _walk(value, f"{path}#{key}" if path else str(key))


def _wrong_targets(config: Mapping) -> list[str]:
    locator = ComponentLocator()
    problems = []
    for path, value in _walk(config):
        if not isinstance(value, Mapping) or not isinstance(value.get("_target_"), str):
            continue
        name = value["_target_"]
        if name.startswith(("$", "@", "%")):
            continue
        module_name = locator.get_component_module_name(name)
        module_name = module_name[0] if isinstance(module_name, list) else module_name
        reason = ""
        try:
            component = locate(f"{module_name}.{name}" if module_name else name)
        except ErrorDuringImport as error:
            component, reason = None, f" ({error.value})"
        if component is not None:
            problems += _wrong_arguments(path, name, component, value)
        else:
            module = locate(name.rpartition(".")[0]) if "." in name and not reason else None
            near = dir(module) if module is not None else [*locator._components_table]
            problems.append(f"{path}: _target_ '{name}' does not exist{reason or '; ' + _nearest_only(name, near)}")
    return problems


def _wrong_arguments(path: str, name: str, component: Any, config: Mapping) -> list[str]:
    """Return the arguments that a component does not take."""
    try:
        parameters = inspect.signature(component).parameters
    except (TypeError, ValueError):  # some of torch's built-ins have no signature
        return []
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return []
    unknown = [key for key in config if key not in parameters and key not in ConfigComponent.non_arg_keys]
    return [f"{path}: {name} takes no argument '{key}'; {did_you_mean(key, list(parameters))}" for key in unknown]


def _nearest_only(name: str, choices: Sequence[str]) -> str:
    """Return the suggestion of `did_you_mean` without its list, which can be all of MONAI."""
    sentence = did_you_mean(name.rpartition(".")[2], choices)
    return sentence.split("choices:")[0].strip() or "nothing there has a name like it; check the spelling"


def _wrong_references(parser: ConfigParser) -> list[str]:
    problems = []
    for path, value in _walk(parser.get()):
        if not isinstance(value, str):
            continue
        for reference in ReferenceResolver.match_refs_pattern(value):
            if reference not in parser:
                problems.append(
                    f"{path}: reference '@{reference}' leads nowhere; {_nearest_only(reference, list(parser.get()))}"
                )
    return problems
