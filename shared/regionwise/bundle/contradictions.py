"""Find values of a bundle's ids that contradict each other."""

from collections.abc import Mapping
from math import prod
from typing import Any

from .rules import given_value


def find_contradictions(config: Mapping) -> list[str]:
    """Return ids whose values contradict each other, one line each; each value is valid by itself.

    Args:
        config: see `find_value_problems`.
    """
    return [*_find_split_problems(config), *_find_class_problems(config), *_find_network_problems(config)]


def _find_split_problems(config: Mapping) -> list[str]:
    split, fold, folds = (given_value(config, key) for key in ("split", "fold", "folds"))
    if split is None or not fold:
        return []
    if split != "kfold":
        return [f"expected --fold 0 with --split {split}, which has one division, found {fold}; folds are for kfold"]
    if folds is not None and fold >= folds:
        return [f"expected fold to be 0..{folds - 1} (folds is {folds}), found {fold}"]
    return []


def _find_class_problems(config: Mapping) -> list[str]:
    problems = []
    regions, dataset = given_value(config, "regions"), given_value(config, "data#dataset")
    if regions is not None and dataset is not None and regions != dataset:
        problems.append(
            f"expected --regions null for the classes of {dataset}, found {regions!r}, regions of another dataset"
        )
    kept, classes = given_value(config, "largest_component") or [], given_value(config, "network_def#out_channels")
    wrong = [label for label in kept if isinstance(classes, int) and label >= classes]
    if wrong:
        problems.append(f"expected --largest_component of classes 1 to {classes - 1}, found {wrong[0]}")
    return problems


def _find_network_problems(config: Mapping) -> list[str]:
    """Return how the ids of a DynUNet contradict each other: numbers of levels, axes, and what pooling divides."""
    names = ("patch_size", "filters", "kernel_size", "upsampling")
    definition = config.get("network_def", {})
    given = {name: given_value(config, name) for name in names}
    if not _is_dynunet_of(definition) or any(value is None for value in given.values()):
        return []
    dims, steps = len(given["patch_size"]), given["upsampling"]
    if len(steps) < 3:
        return [f"expected --upsampling of at least 3 steps (deep supervision), found {steps}"]
    for name in ("kernel_size", "upsampling"):
        if not isinstance(given[name][0], int) and len(given[name][0]) != dims:
            return [f"expected --{name} of {dims} numbers per level, as --patch_size has, found {given[name]}"]
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


def _is_dynunet_of(definition: Any) -> bool:
    """Return whether a network is a DynUNet that is made of the configuration's ids."""
    return (
        isinstance(definition, Mapping)
        and str(definition.get("_target_")).rpartition(".")[2] == "DynUNet"
        and definition.get("filters") == "@filters"
    )
