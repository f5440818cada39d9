"""What is measured: the classes of a label map, regions made of several classes, and what the known datasets hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InputError, did_you_mean


@dataclass(frozen=True)
class Structure:
    """A class, or a region of several classes.

    Attributes:
        name: what tables call it.
        labels: the label values it is made of.
    """

    name: str
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Labels:
    """The labels of a dataset.

    Attributes:
        classes: names of labels 1, 2, ...
        label_map: values to replace on disk, old to new.
        regions: unions of classes that the field reports, name to labels.
    """

    classes: tuple[str, ...]
    label_map: Mapping[int, int] = field(default_factory=dict)
    regions: Mapping[str, Sequence[int]] = field(default_factory=dict)


DATASET_LABELS = {
    "acdc": Labels(("RV", "Myo", "LV")),
    "brats": Labels(("NCR/NET", "ED", "ET"), {4: 3}, {"WT": (1, 2, 3), "TC": (1, 3), "ET region": (3,)}),
    "kits": Labels(("kidney", "tumour")),
}


def named_classes(
    classes: str | Sequence[str] | Mapping[int, str] | None, num_classes: int | None
) -> tuple[Structure, ...] | None:
    """Return the classes that were asked for.

    Args:
        classes: names of labels 1, 2, ... (a sequence, or one string with commas), or a mapping from label to name.
        num_classes: number of classes with the background, for labels without names; checked against ``classes``.

    Returns:
        One structure a class; None if neither is given: the labels that occur are the classes.

    Raises:
        InputError: two classes share a name, or the two arguments disagree.
    """
    if isinstance(classes, str):
        classes = [name.strip() for name in classes.split(",")]
    if classes is None and num_classes is None:
        return None
    if classes is None:
        classes = {label: f"class {label}" for label in range(1, num_classes)}
    if not isinstance(classes, Mapping):
        classes = dict(enumerate(classes, start=1))
    found = tuple(Structure(str(name), (int(label),)) for label, name in classes.items() if int(label) != 0)
    if num_classes is not None and max(one.labels[0] for one in found) >= num_classes:
        raise InputError(
            f"--num-classes {num_classes} counts the background too; it is too few for {len(found)} classes"
        )
    _check_names(found)
    return found


def named_regions(regions: str | Mapping[str, Sequence[int]] | None) -> tuple[Structure, ...]:
    """Return the regions that were asked for.

    Args:
        regions: the name of a dataset that defines regions ("brats"), or a mapping from name to labels.

    Raises:
        InputError: no dataset of that name defines regions.
    """
    if regions is None:
        return ()
    if isinstance(regions, str):
        known = {name: labels.regions for name, labels in DATASET_LABELS.items() if labels.regions}
        if regions not in known:
            raise InputError(f"there are no regions '{regions}'; {did_you_mean(regions, known)}")
        regions = known[regions]
    if not isinstance(regions, Mapping):
        raise InputError(f"expected --regions as a name or as {{name: [labels]}}, got {regions!r}")
    return tuple(Structure(str(name), tuple(int(label) for label in labels)) for name, labels in regions.items())


def _check_names(structures: Sequence[Structure]) -> None:
    names = [one.name for one in structures]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two classes are called '{name}'; give each its own name in --classes")
