"""Read the running configuration: the settings of the run, its network, its switches."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

from monai.bundle import ConfigParser

from ..distributed import is_main_process
from ..errors import InputError
from ..options import SWITCHES, as_flag

# Ids that do not change what a training computes: where it reads and writes, what it runs on, when it ends, and how
# the runner starts it. Of the data, the content counts (`regionwise.data.PatchDataset.contents`), not the folder.
NOT_OF_THE_RESULT = {
    "_meta_",
    "bundle_root",
    "cache_dir",
    "dataset_dir",
    "device",
    "finalize",
    "experiment_name",
    "imports",
    "initialize",
    "is_not_rank0",
    "max_minutes",
    "num_workers",
    "on_collapse",
    "output_dir",
    "patience",
    "resume",
    "run",
    "run_name",
    "save_execute_config",
    "set_up",
    "tracking_uri",
    "training",
    "train#dataloader#num_workers",
    "validate#dataloader#num_workers",
}
# What the report of an evaluation says of it.
EVALUATION_IDS = ("section", "split", "fold", "folds", "seed", "tta", "decoding")
# What inference and evaluation share with the training, beside the network itself.
SHARED_IDS = ("patch_size", "slice_axis")


def run_settings() -> dict[str, Any]:
    """Return the settings of the configuration that calls this: id to value, overrides included.

    Values are as written, references and expressions unresolved, so that two runs can be compared without building
    anything; settings that do not change the result are left out.

    Returns:
        ``{"epochs": 300, "train#preprocessing#transforms#1#pixdim": [3, 3, -1], ...}``: lists stay whole unless they
        hold mappings.
    """
    flat: dict[str, Any] = {}
    for name, part in _parser().get().items():
        if name not in NOT_OF_THE_RESULT:
            flat |= _flat(name, part)
    return {key: value for key, value in flat.items() if key not in NOT_OF_THE_RESULT}


def evaluation_settings() -> dict[str, Any]:
    """Return the settings that the report shows for the running evaluation: bundle, section, split, ..."""
    parser = _parser()
    bundle = {"bundle": parser["_meta_::name"]} if "_meta_::name" in parser else {}
    return bundle | {key: _written(parser[key]) for key in EVALUATION_IDS if key in parser}


def network_settings() -> dict[str, Any]:
    """Return the content of network.json: ids that evaluation, inference and packing take over from the training.

    ``network_def`` is recorded as a plain configuration, every reference resolved and without deep supervision, so that
    any network, MONAI's or a custom one, can be rebuilt.

    Raises:
        InputError: If an argument of the network cannot be written as JSON.
    """
    parser = _parser()
    definition = _plain(parser, "network_def")
    if "deep_supervision" in definition:
        definition["deep_supervision"] = False
        definition.pop("deep_supr_num", None)
    return {"network_def": definition} | {key: _plain(parser, key) for key in SHARED_IDS if key in parser}


def is_on(flags: Sequence[bool | str]) -> bool:
    """Return whether any of several switches is on."""
    return any(as_flag(flag) for flag in flags)


def leave_out(unless: bool | str = True) -> bool:
    """Return whether to disable a component that writes: only the main process writes, and only if asked to.

    Args:
        unless: the switch that enables the component.
    """
    return not (as_flag(unless) and is_main_process())


def _parser() -> ConfigParser:
    """Return the parser that is making a component at this moment.

    MONAI gives a component no access to the configuration it stands in; the parser is looked for among the callers.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), ConfigParser):
            return frame.f_locals["self"]
        frame = frame.f_back
    raise RuntimeError("no configuration: this function is called by MONAI's ConfigParser")


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value.get("_target_") == "MLFlowHandler":  # added by --tracking mlflow
        return
    if isinstance(value, Mapping):
        items = [(key, item) for key, item in value.items() if key != "_desc_"]
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        items = list(enumerate(value))
    else:
        yield path, _written(value)
        return
    for key, item in items:
        yield from _flat(f"{path}#{key}", item)


def _written(value: Any) -> Any:
    """Return a value as JSON gives it back, switches as such however they were spelled."""
    if isinstance(value, str):
        return SWITCHES.get(value.strip().lower(), value)
    return json.loads(json.dumps(value, default=str))


def _plain(parser: ConfigParser, path: str) -> Any:
    """Return the part of a configuration at an id with everything resolved that has a form in JSON."""
    config = parser[path]
    if isinstance(config, Mapping) and not ("_target_" in config and "::" in path):
        return {key: _plain(parser, f"{path}::{key}") for key in config if key != "_desc_"}
    if isinstance(config, list | tuple):
        return [_plain(parser, f"{path}::{number}") for number in range(len(config))]
    value = parser.get_parsed_content(path)
    try:
        return json.loads(json.dumps(value))
    except TypeError as error:
        if isinstance(config, Mapping):  # an object: made anew from its own arguments
            return {key: _plain(parser, f"{path}::{key}") for key in config if key != "_desc_"}
        raise InputError(
            f"{path.replace('::', '#')}: expected numbers, texts, lists and mappings, found {value!r}; "
            "network.json must hold the network"
        ) from error
