"""Check the components of a configuration: they exist and accept their arguments."""

import inspect
from collections.abc import Mapping
from pydoc import ErrorDuringImport, locate
from typing import Any

from monai.bundle import ComponentLocator, ConfigComponent, ConfigParser

from ..errors import did_you_mean
from .moved import MOVED_TARGETS
from .rules import is_computed
from .walking import first_line, nearest_only, walk


def find_target_problems(config: Mapping) -> list[str]:
    locator = ComponentLocator()
    problems = []
    for path, value in walk(config):
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
            problems += _find_argument_problems(path, name, component, value)
        elif name in MOVED_TARGETS:
            problems.append(f"{path}: _target_ '{name}' has moved; now: {MOVED_TARGETS[name]}")
        else:
            module = locate(name.rpartition(".")[0]) if "." in name and not reason else None
            near = dir(module) if module is not None else [*(locator._components_table or ())]
            problems.append(f"{path}: _target_ '{name}' does not exist{reason or '; ' + nearest_only(name, near)}")
    return problems


def _find_argument_problems(path: str, name: str, component: Any, config: Mapping) -> list[str]:
    """Return the arguments that a component does not accept."""
    try:
        parameters = inspect.signature(component).parameters
    except (TypeError, ValueError):  # some of torch's built-ins have no signature
        return []
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return []
    unknown = [key for key in config if key not in parameters and key not in ConfigComponent.non_arg_keys]
    return [f"{path}: {name} takes no argument '{key}'; {did_you_mean(key, list(parameters))}" for key in unknown]


def find_transform_problems(parser: ConfigParser) -> list[str]:
    """Instantiate the preprocessing transforms, which is cheap, to check their arguments."""
    problems = []
    for path, value in walk(parser.get()):
        if "preprocessing#transforms#" not in path or not isinstance(value, Mapping) or "_target_" not in value:
            continue
        # LoadImaged has arguments that nobody sets, and warns of each reader that is not installed.
        if any(is_computed(argument) for argument in value.values()) or value["_target_"] == "LoadImaged":
            continue
        try:
            ConfigComponent(dict(value)).instantiate()
        except Exception as error:  # noqa: BLE001 (a transform checks its arguments as it likes)
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            given = ", ".join(
                f"{key} {argument!r}" for key, argument in value.items() if key not in ("_target_", "keys")
            )
            problems.append(f"{path}: {value['_target_']} does not take {given} ({first_line(cause)})")
    return problems


def find_channel_problems(parser: ConfigParser) -> list[str]:
    """Compare the network's channels with the bundle's metadata."""
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
