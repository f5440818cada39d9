"""What is measured: the classes of a label map, and regions made of several classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..datasets import LABELS, READERS
from ..errors import InputError, did_you_mean

REGIONS = {"brats": {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}}
"""Regions that a dataset's field reports, by class index: BraTS's whole tumour, tumour core, enhancing tumour."""


@dataclass(frozen=True)
class Structure:
    """A class, or a region of several classes.

    Attributes:
        name: what tables call it.
        labels: the label values it is made of.
    """

    name: str
    labels: tuple[int, ...]


def dataset_classes(dataset: str) -> tuple[dict[int, str], dict[int, int]]:
    """Return the class names of a known dataset and the label values that its files spell differently.

    Raises:
        InputError: there is no dataset of this name.
    """
    if dataset not in READERS:
        raise InputError(f"there is no dataset '{dataset}'; {did_you_mean(dataset, READERS)}")
    return dict(LABELS[dataset]), dict(READERS[dataset].ALIASES)


def named_classes(
    classes: str | Sequence[str] | Mapping[int, str] | None, num_classes: int | None = None
) -> tuple[Structure, ...] | None:
    """Return the classes that were asked for.

    Args:
        classes: names of labels 1, 2, ... (a sequence, or one string with commas), or a mapping from label to name,
            in which 0, the background, is left out.
        num_classes: number of classes with the background, for labels without names.

    Returns:
        One structure a class; None if neither is given: the labels that occur are the classes.

    Raises:
        InputError: the names are no names, or the two arguments disagree.
    """
    if classes is None:
        if num_classes is None:
            return None
        return tuple(Structure(f"class {label}", (label,)) for label in range(1, num_classes))
    if isinstance(classes, str):
        classes = [name.strip() for name in classes.split(",")]
    if not isinstance(classes, Mapping):
        classes = dict(enumerate(classes, start=1))
    try:
        found = tuple(Structure(str(name), (int(label),)) for label, name in classes.items() if int(label) != 0)
    except ValueError as error:
        raise InputError(f"expected --classes as names or as {{label: name}}, got {classes}") from error
    if num_classes is not None and num_classes != 1 + len(found):
        raise InputError(f"--num-classes {num_classes} (with the background) does not fit {len(found)} class names")
    return found


def named_regions(regions: str | Mapping[str, Sequence[int]] | None) -> tuple[Structure, ...]:
    """Return the regions that were asked for.

    Args:
        regions: the name of a dataset that has regions ("brats"), or a mapping from name to labels.

    Raises:
        InputError: no dataset of that name has regions, or it is no mapping.
    """
    if regions is None:
        return ()
    if isinstance(regions, str):
        if regions not in REGIONS:
            raise InputError(f"there are no regions '{regions}'; {did_you_mean(regions, REGIONS)}")
        regions = REGIONS[regions]
    if not isinstance(regions, Mapping) or not all(isinstance(one, Sequence) for one in regions.values()):
        raise InputError(f"expected --regions as a dataset or as {{name: [labels]}}, got {regions!r}")
    return tuple(Structure(str(name), tuple(int(label) for label in labels)) for name, labels in regions.items())
