"""Structures to evaluate: the classes of a label map, and regions made of several classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..datasets import LABELS, READERS
from ..errors import InputError, did_you_mean

LARGEST_LABEL = 65535

REGIONS = {"brats": {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}}
"""Regions that a dataset's field reports, by class index: BraTS's whole tumor, tumor core, enhancing tumor."""


@dataclass(frozen=True)
class Structure:
    """A class, or a region of several classes.

    Attributes:
        name: Name in tables.
        labels: Label values it is made of.
    """

    name: str
    labels: tuple[int, ...]


def dataset_classes(dataset: str) -> tuple[dict[int, str], dict[int, int]]:
    """Class names of a known dataset, and the label values that its files replace.

    Raises:
        InputError: If the dataset is unknown.
    """
    if not isinstance(dataset, str) or dataset not in READERS:
        raise InputError(f"Unknown dataset '{dataset}'; {did_you_mean(dataset, READERS)}")
    return dict(LABELS[dataset]), dict(READERS[dataset].ALIASES)


def named_classes(
    classes: str | Sequence[str] | Mapping[int, str] | None, num_classes: int | None = None
) -> tuple[Structure, ...] | None:
    """Make structures from the requested classes.

    Args:
        classes: Names of labels 1, 2, ... (a sequence, or one string with commas), or a mapping from label to name,
            in which 0, the background, is left out.
        num_classes: Number of classes with the background, for labels without names.

    Returns:
        One structure per class; None if neither is given: the labels that occur are the classes.

    Raises:
        InputError: If a name or a label is invalid, or the two arguments disagree.
    """
    if num_classes is not None and (not _is_int(num_classes) or not 2 <= num_classes <= LARGEST_LABEL + 1):
        raise InputError(
            f"expected --num_classes as an integer of at least 2 (with the background), got {num_classes!r}"
        )
    if classes is None:
        if num_classes is None:
            return None
        return tuple(Structure(f"class {label}", (label,)) for label in range(1, num_classes))
    if isinstance(classes, str):
        classes = [name.strip() for name in classes.split(",")]
    if isinstance(classes, Sequence):
        classes = dict(enumerate(classes, start=1))
    if not isinstance(classes, Mapping) or not all(isinstance(name, str) and name for name in classes.values()):
        shown = dict(classes) if isinstance(classes, Mapping) else classes
        raise InputError(f"expected --classes as names or as {{label: name}}, got {shown!r}")
    found = tuple(
        Structure(name, (as_label(label, "--classes"),)) for label, name in classes.items() if label not in (0, "0")
    )
    labels = [one.labels[0] for one in found]
    if doubled := [label for label in labels if labels.count(label) > 1]:
        raise InputError(f"label {doubled[0]} has two names in --classes; give each label one")
    if num_classes is not None and num_classes != 1 + len(found):
        raise InputError(f"--num_classes {num_classes} (with the background) does not fit {len(found)} class names")
    return found


def named_regions(regions: str | Mapping[str, Sequence[int]] | None) -> tuple[Structure, ...]:
    """Make structures from the requested regions.

    Args:
        regions: The name of a dataset that has regions ("brats"), or a mapping from name to labels.

    Raises:
        InputError: If no dataset of that name has regions, or a value is not a list of labels.
    """
    if regions is None:
        return ()
    if isinstance(regions, str):
        if regions not in REGIONS:
            raise InputError(f"there are no regions '{regions}'; {did_you_mean(regions, REGIONS)}")
        regions = REGIONS[regions]
    if not isinstance(regions, Mapping) or not all(
        isinstance(name, str) and name and isinstance(labels, Sequence) and not isinstance(labels, str) and labels
        for name, labels in regions.items()
    ):
        raise InputError(f"expected --regions as a dataset or as {{name: [labels]}}, got {regions!r}")
    return tuple(
        Structure(name, tuple(as_label(label, "--regions") for label in labels)) for name, labels in regions.items()
    )


def as_label(value: Any, option: str) -> int:
    """Convert a label value that a user gave.

    Args:
        value: An integer, or its digits.
        option: Name of the option, for the message.

    Raises:
        InputError: If it is not an integer from 1 to 65535.
    """
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if not _is_int(value) or not 1 <= value <= LARGEST_LABEL:
        raise InputError(f"expected labels in {option} as integers from 1 to {LARGEST_LABEL}, got {value!r}")
    return value


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
