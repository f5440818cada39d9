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
from .moved import MOVED_IDS, MOVED_TARGETS
from .rules import find_contradictions, find_value_problems, is_computed


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


def find_problems(config_files: Sequence[str], overrides: Mapping[str, Any], run_id: str | None = None) -> list[str]:
    """Return what is wrong in a configuration, one line each; see `lint`.

    Args:
        config_files: merged in order.
        overrides: id to value.
        run_id: an id that must be there to run.
    """
    for file in config_files:
        problem = _unreadable(Path(file))
        if problem:
            return [problem]
    parser = ConfigParser()
    parser.read_config(list(config_files))
    metadata = Path(config_files[0]).parent / "metadata.json"
    if metadata.is_file():
        parser.read_meta(str(metadata))
    names = ", ".join(map(str, config_files))
    problems = [_unknown_id(parser, key, names) for key in overrides if key not in parser]
    if run_id is not None and run_id not in parser:
        problems.append(f"there is no id '{run_id}' to run in {names}; try run")
    parser.update(pairs={key: value for key, value in overrides.items() if key in parser})
    try:
        parser.resolve_macro_and_relative_ids()
    except Exception as error:  # noqa: BLE001 (a macro reads any file; MONAI and its parts raise as they like)
        return [*problems, f"a macro (%) cannot be read: {_first_line(error)}"]
    values = find_value_problems(parser)
    problems += values or find_contradictions(parser)
    problems += _wrong_targets(parser.get())
    problems += _wrong_references(parser)
    problems += _wrong_expressions(parser.get())
    if not problems:
        problems = _wrong_channels(parser) + _wrong_transforms(parser)
    return problems


def _unknown_id(parser: ConfigParser, key: str, names: str) -> str:
    if key in MOVED_IDS:
        return f"there is no id '{key}' in {names} any more: {MOVED_IDS[key]}"
    return f"there is no id '{key}' in {names}; {_nearest_only(key, _siblings(parser, key))}"


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
        elif name in MOVED_TARGETS:
            problems.append(f"{path}: _target_ '{name}' is no more; now: {MOVED_TARGETS[name]}")
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
    leads_to: dict[str, list[str]] = {}
    for path, value in _walk(parser.get()):
        if not isinstance(value, str):
            continue
        for reference in ReferenceResolver.match_refs_pattern(value):
            leads_to.setdefault(path.replace("#", "::"), []).append(reference)
            if reference not in parser:
                problems.append(
                    f"{path}: reference '@{reference}' leads nowhere; {_nearest_only(reference, list(parser.get()))}"
                )
    circle = [] if problems else _find_circle(leads_to)
    return [*problems, *([f"references lead in a circle: {' -> '.join(circle)}"] if circle else [])]


def _find_circle(leads_to: Mapping[str, Sequence[str]]) -> list[str]:
    """Return ids that refer to each other in a circle, [] where none do.

    Args:
        leads_to: id of a text to the ids it refers to; what refers to a whole part refers to all in it.
    """
    done: set[str] = set()

    def search(part: str, trail: list[str]) -> list[str]:
        if part in trail:
            return [f"@{one.replace('::', '#')}" for one in [*trail[trail.index(part) :], part]]
        if part in done:
            return []
        inside = [path for path in leads_to if path == part or path.startswith(f"{part}::")]
        for reference in dict.fromkeys(reference for path in inside for reference in leads_to[path]):
            circle = search(reference, [*trail, part])
            if circle:
                return circle
        done.add(part)
        return []

    return next((circle for part in leads_to if (circle := search(part, []))), [])


def _wrong_expressions(config: Mapping) -> list[str]:
    problems = []
    for path, value in _walk(config):
        if not isinstance(value, str) or not value.startswith("$") or value.startswith(("$import ", "$from ")):
            continue
        text = ReferenceResolver.update_refs_pattern(value, dict.fromkeys(ReferenceResolver.match_refs_pattern(value)))
        try:
            compile(text[1:], path, "eval")
        except (SyntaxError, ValueError) as error:
            problems.append(f"{path}: {value!r} is no Python expression ({_first_line(error)})")
    return problems


def _wrong_channels(parser: ConfigParser) -> list[str]:
    """Compare the network's channels with what the bundle's metadata says of the data."""
    expected = {
        "network_def#in_channels": "_meta_#network_data_format#inputs#image#num_channels",
        "num_classes": "_meta_#network_data_format#outputs#pred#num_channels",
        "network_def#out_channels": "_meta_#network_data_format#outputs#pred#num_channels",
    }
    return [
        f"expected --{key} {parser[fact]}, the channels of metadata.json, found {parser[key]!r}"
        for key, fact in expected.items()
        if key in parser and fact in parser and not is_computed(parser[key]) and parser[key] != parser[fact]
    ]


def _wrong_transforms(parser: ConfigParser) -> list[str]:
    """Try the transforms of the preprocessing, which are quickly made, with the arguments they are given."""
    problems = []
    for path, value in _walk(parser.get()):
        if "preprocessing#transforms#" not in path or not isinstance(value, Mapping) or "_target_" not in value:
            continue
        if any(is_computed(argument) for argument in value.values()):
            continue
        try:
            ConfigComponent(dict(value)).instantiate()
        except Exception as error:  # noqa: BLE001 (a transform checks its arguments as it likes)
            while error.__cause__ is not None:
                error = error.__cause__
            given = ", ".join(
                f"{key} {argument!r}" for key, argument in value.items() if key not in ("_target_", "keys")
            )
            problems.append(f"{path}: {value['_target_']} does not take {given} ({_first_line(error)})")
    return problems


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
