"""Rules for the values of a bundle's ids."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..data.patches import DISTANCES
from ..errors import InputError
from ..evaluation.settings import PROTOCOLS
from ..evaluation.structures import REGIONS
from ..files import find_write_problem
from ..losses import make_loss
from ..options import as_flag, as_path, find_path_problem

Check = Callable[[Any], bool]


def _is_whole(lowest: int, highest: float = math.inf) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def _is_number(above: float, at_most: float = math.inf) -> Check:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and above < value <= at_most and value < math.inf
    )


def _is_one_of(*choices: Any) -> Check:
    return lambda value: any(value == choice and type(value) is type(choice) for choice in choices)


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_device(value: Any) -> bool:
    try:
        device = torch.device(value)
    except (RuntimeError, TypeError):
        return False
    return device.type != "cuda" or (device.index or 0) < torch.cuda.device_count()


def _is_flag(value: Any) -> bool:
    try:
        as_flag(value)
    except InputError:
        return False
    return True


def _is_path(value: Any) -> bool:
    return not find_path_problem(value)


def _is_files(value: Any) -> bool:
    files = value if isinstance(value, list | tuple) else [value]
    return bool(files) and all(map(_is_text, files))


def _is_list(check: Check, *, empty: bool = False) -> Check:
    return lambda value: isinstance(value, list | tuple) and (empty or bool(value)) and all(map(check, value))


def _is_steps(check: Check) -> Check:
    """Accept a list of numbers, or of one list per level: one entry for all axes or one per axis."""
    return lambda value: (
        _is_list(check)(value) or (_is_list(_is_list(check))(value) and len({len(entry) for entry in value}) == 1)
    )


def _is_zero(value: Any) -> bool:
    return not isinstance(value, bool) and value == 0


def _is_odd(value: Any) -> bool:
    return _is_whole(1)(value) and value % 2 == 1


FLAG = ("true or false", _is_flag)
COUNT = ("an integer >= 1", _is_whole(1))
INDEX = ("an integer >= 0", _is_whole(0))
PATH = ("a path", _is_path)

# What the values of ids that people set must be; ids that a config does not have are not asked for.
RULES: dict[str, tuple[str, Check]] = {
    "bundle_root": PATH,
    "dataset_dir": ("a folder", _or_null(_is_path)),
    "output_dir": PATH,
    "cache_dir": PATH,
    "input": PATH,
    "checkpoint": ("a file, or a list of them", _is_files),
    "device": ("a torch device of this machine, such as cpu or cuda:0", _is_device),
    "seed": INDEX,
    "split": ("'paper', 'kfold' or a JSON file", _is_text),
    "section": ("'train', 'val', 'test' or 'all'", _is_text),
    "fold": INDEX,
    "folds": ("an integer >= 2", _is_whole(2)),
    "epochs": COUNT,
    "iterations_per_epoch": COUNT,
    "val_interval": COUNT,
    "learning_rate": ("a number > 0", _is_number(0)),
    "gradient_norm": ("a number > 0", _is_number(0)),
    "ema_decay": (
        "a number from 0 to below 1",
        lambda value: _is_zero(value) or (_is_number(0, 1)(value) and value < 1),
    ),
    "loss": ("the name of a loss", lambda value: isinstance(value, str)),
    "class_weights": ("a list of numbers > 0, one per class, or null", _or_null(_is_list(_is_number(0)))),
    "smoothing": ("'none', 'distance' or 'neighbors'", _is_one_of("none", "distance", "neighbors")),
    "sigma": ("a number > 0", _is_number(0)),
    "distance": (" or ".join(map(repr, DISTANCES)), _is_one_of(*DISTANCES)),
    "augmentation": ("'auto', 'device' or 'workers'", _is_one_of("auto", "device", "workers")),
    "num_workers": INDEX,
    "amp": ("true, false, 'auto' or 'bfloat16'", lambda value: value in ("auto", "bfloat16") or _is_flag(value)),
    "resume": FLAG,
    "max_minutes": ("a number > 0, or null", _or_null(_is_number(0))),
    "patience": ("an integer >= 1, or null", _or_null(_is_whole(1))),
    "on_collapse": ("'warn' or 'stop'", _is_one_of("warn", "stop")),
    "gradient_signs": FLAG,
    "num_classes": ("an integer from 2 to 256", _is_whole(2, 256)),
    "slice_axis": ("0, 1 or 2", _is_one_of(0, 1, 2)),
    "patch_size": (
        "a list of two or three integers >= 1",
        lambda value: _is_list(_is_whole(1))(value) and 1 < len(value) < 4,
    ),
    "batch_size": COUNT,
    "foreground_fraction": (
        "a number in [0, 1]",
        lambda value: _is_zero(value) or _is_number(0, 1)(value),
    ),
    "filters": ("a list of integers >= 1", _is_list(_is_whole(1))),
    "kernel_size": ("a list of odd integers, or of one list per level", _is_steps(_is_odd)),
    "upsampling": ("a list of integers >= 1, or of one list per level", _is_steps(_is_whole(1))),
    "tta": FLAG,
    "probabilities": FLAG,
    "decoding": ("'argmax' or 'dice'", _is_one_of("argmax", "dice")),
    "save_probabilities": FLAG,
    "overwrite": FLAG,
    "largest_component": ("a list of classes", _is_list(_is_whole(1), empty=True)),
    "protocol": (f"one of {', '.join(PROTOCOLS)}", _is_one_of(*PROTOCOLS)),
    "regions": (f"one of {', '.join(REGIONS)}, or null", _or_null(_is_one_of(*REGIONS))),
    "train#dataset#labeled_slices_only": FLAG,
    "train#trainer#compile": ("True or False", lambda value: isinstance(value, bool)),
}


def find_value_problems(config: Mapping) -> list[str]:
    """Return the ids set by users whose value has the wrong type or is out of range, one line each.

    Args:
        config: a configuration with its overrides; a `monai.bundle.ConfigParser` finds nested ids as well.
    """
    problems = []
    for name, (expected, fits) in RULES.items():
        if name not in config or is_computed(config[name]):
            continue
        if not fits(config[name]):
            problems.append(f"expected --{name} to be {expected}, found {config[name]!r}")
    return problems + _find_folder_problems(config) + _find_loss_problems(config)


def is_computed(value: Any) -> bool:
    """Return whether a value is a component, a reference or an expression, known only at run time."""
    if isinstance(value, Mapping):
        return "_target_" in value
    return isinstance(value, str) and value.startswith(("$", "@", "%"))


def given_value(config: Mapping, name: str) -> Any:
    """Return the value of an id; None if it has none or it is known only at run time."""
    value = config.get(name, None)
    return None if is_computed(value) else value


def _find_folder_problems(config: Mapping) -> list[str]:
    """Return what is wrong with the folders to write to, which is else seen after the data were preprocessed."""
    given = {name: given_value(config, name) for name in ("output_dir", "cache_dir")}
    paths = {name: as_path(value) for name, value in given.items() if value is not None and _is_path(value)}
    problems = [find_write_problem(path, f"--{name}") for name, path in paths.items()]
    return [problem for problem in problems if problem]


def _find_loss_problems(config: Mapping) -> list[str]:
    name, weights, classes = (given_value(config, key) for key in ("loss", "class_weights", "num_classes"))
    weights = weights if RULES["class_weights"][1](weights) else None
    problems = []
    if isinstance(name, str):
        try:
            make_loss(name, class_weights=weights)
        except InputError as error:
            problems.append(str(error))
    if weights is not None and isinstance(classes, int) and len(weights) != classes:
        problems.append(f"expected --class_weights of {classes} numbers, one per class, found {weights!r}")
    return problems
