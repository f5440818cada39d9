"""What the values of a bundle's ids must be."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch

from ..errors import InputError
from ..evaluation.settings import PROTOCOLS
from ..evaluation.structures import REGIONS
from ..flags import is_on
from ..losses import make_loss


def _is_whole(lowest: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= lowest


def _is_number(above: float, at_most: float = float("inf")) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and above < value <= at_most


def _is_device(value: Any) -> bool:
    try:
        device = torch.device(value)
    except (RuntimeError, TypeError):
        return False
    return device.type != "cuda" or (device.index or 0) < torch.cuda.device_count()


def _is_flag(value: Any) -> bool:
    try:
        is_on(value)
    except InputError:
        return False
    return True


def _is_files(value: Any) -> bool:
    files = value if isinstance(value, list | tuple) else [value]
    return bool(files) and all(isinstance(file, str) for file in files)


def _is_sizes(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    sizes = [size for entry in value for size in (entry if isinstance(entry, list | tuple) else [entry])]
    return bool(sizes) and all(isinstance(size, int) and size > 0 for size in sizes)


def _is_weights(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and bool(value) and all(map(_is_number(0), value)))


# What the values of ids that people set must be; ids that a config does not have are not asked for.
RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "epochs": ("an integer >= 1", _is_whole(1)),
    "iterations_per_epoch": ("an integer >= 1", _is_whole(1)),
    "val_interval": ("an integer >= 1", _is_whole(1)),
    "batch_size": ("an integer >= 1", _is_whole(1)),
    "num_workers": ("an integer >= 0", _is_whole(0)),
    "seed": ("an integer >= 0", _is_whole(0)),
    "fold": ("an integer >= 0", _is_whole(0)),
    "folds": ("an integer >= 2", _is_whole(2)),
    "learning_rate": ("a number > 0", _is_number(0)),
    "max_minutes": ("a number > 0, or null", lambda value: value is None or _is_number(0)(value)),
    "patience": ("an integer >= 1, or null", lambda value: value is None or _is_whole(1)(value)),
    "rank": ("an integer >= 0", _is_whole(0)),
    "world_size": ("an integer >= 1", _is_whole(1)),
    "gradient_norm": ("a number > 0", _is_number(0)),
    "foreground_fraction": ("a number in [0, 1]", lambda value: value == 0 or _is_number(0, 1)(value)),
    "spatial_dims": ("2 or 3", lambda value: value in (2, 3)),
    "map": ("'volume' or 'batch'", lambda value: value in ("volume", "batch")),
    "loss": ("the name of a loss", lambda value: isinstance(value, str)),
    "class_weights": ("a list of numbers > 0, one per class, or null", _is_weights),
    "device": ("a torch device of this machine, such as cpu or cuda:0", _is_device),
    "resume": ("true or false", _is_flag),
    "amp": ("true or false", _is_flag),
    "amp_dtype": ("'float16' or 'bfloat16'", lambda value: value in ("float16", "bfloat16")),
    "compile": ("true or false", _is_flag),
    "gradient_signs": ("true or false", _is_flag),
    "mirror": ("true or false", _is_flag),
    "probabilities": ("true or false", _is_flag),
    "save_probabilities": ("true or false", _is_flag),
    "checkpoint": ("a file, or a list of them", _is_files),
    "protocol": (f"one of {', '.join(PROTOCOLS)}", lambda value: isinstance(value, str) and value in PROTOCOLS),
    "regions": (f"one of {', '.join(REGIONS)}, or null", lambda value: value is None or value in list(REGIONS)),
    "labelled_slices_only": ("true or false", _is_flag),
    "patch_size": ("a list of integers >= 1", _is_sizes),
    "filters": ("a list of integers >= 1", _is_sizes),
    "kernel_size": ("a list of integers >= 1, or of one list per level", _is_sizes),
    "upsampling": ("a list of integers >= 1, or of one list per level", _is_sizes),
}


def wrong_values(config: Mapping) -> list[str]:
    """Return which ids that people set have a value of the wrong kind or out of range."""
    problems = []
    for name, (expected, fits) in RULES.items():
        value = config.get(name)
        computed = isinstance(value, Mapping) or (isinstance(value, str) and value.startswith(("$", "@", "%")))
        if name not in config or computed:
            continue
        if not fits(value):
            problems.append(f"expected --{name} to be {expected}, found {value!r}")
    if isinstance(config.get("loss"), str):
        weights, classes = config.get("class_weights"), config.get("num_classes")
        weights = weights if _is_weights(weights) else None
        try:
            make_loss(config["loss"], class_weights=weights)
        except InputError as error:
            problems.append(str(error))
        if weights is not None and isinstance(classes, int) and len(weights) != classes:
            problems.append(f"expected --class_weights of {classes} numbers, one per class, found {weights!r}")
    return problems


def wrong_network(config: Mapping) -> list[str]:
    """Return how the ids of a DynUNet contradict each other: numbers of levels, axes, and what pooling divides.

    Args:
        config: with ``spatial_dims``, ``plans`` and the ids of a plan, each a value or taken from the plan.
    """
    plan = config.get("plans", {}).get(str(config.get("spatial_dims")), {})
    names = ("patch_size", "filters", "kernel_size", "upsampling")
    given = {name: plan.get(name) if isinstance(config.get(name), str) else config.get(name) for name in names}
    if any(value is None for value in given.values()):
        return []
    dims, steps = config["spatial_dims"], given["upsampling"]
    if len(given["patch_size"]) != dims:
        return [f"expected --patch_size of {dims} numbers for --spatial_dims {dims}, found {given['patch_size']}"]
    if len(steps) < 3:
        return [f"expected --upsampling of at least 3 steps (deep supervision), found {steps}"]
    for name in ("filters", "kernel_size"):
        if len(given[name]) != len(steps) + 1:
            return [
                f"expected --{name} of {len(steps) + 1} entries, one more than --upsampling, found {given[name]}; "
                "filters, kernel_size and upsampling are set together"
            ]
    for axis, size in enumerate(given["patch_size"]):
        pooled = prod(step if isinstance(step, int) else step[axis] for step in steps)
        if size % pooled:
            return [f"expected --patch_size divisible by its poolings, {pooled} on axis {axis}, found {size}"]
    return []
