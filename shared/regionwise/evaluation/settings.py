"""Settings of an evaluation: one frozen object, passed to the worker processes and written to the summary."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InputError, did_you_mean
from .structures import REGIONS, Structure, as_label, dataset_classes, named_classes, named_regions

PROTOCOLS = {
    "full": "the whole volume",
    "paper": "only slices (first array axis) whose reference holds a label; predictions elsewhere are not counted",
}


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation.

    Attributes:
        classes: The classes; None: every label that a reference holds.
        regions: Unions of classes, measured beside them.
        label_map: Label values to replace in predictions and references, old to new.
        tolerances_mm: Tolerances of the surface Dice; each gives one column.
        protocol: A key of `PROTOCOLS`.
        lesions: Structures that are also counted by lesion.
        tubular: Structures that are tubes: center-line Dice.
        boundary_width_mm: Width of the rim for boundary IoU; None: not measured.
        calibration_bins: Bins of the reliability diagram.
        detection_ml: Volume thresholds of the detection table.
    """

    classes: tuple[Structure, ...] | None = None
    regions: tuple[Structure, ...] = ()
    label_map: Mapping[int, int] = field(default_factory=dict)
    tolerances_mm: tuple[float, ...] = (1, 2)
    protocol: str = "full"
    lesions: tuple[str, ...] = ()
    tubular: tuple[str, ...] = ()
    boundary_width_mm: float | None = None
    calibration_bins: int = 20  # `regionwise.metrics.calibration.BINS`, which would cost its imports here
    detection_ml: tuple[float, ...] = (0, 0.1, 1)

    def __post_init__(self) -> None:
        """Reject settings that no case could be measured with.

        Raises:
            InputError: If two structures share a name, or a value does not exist or makes no sense.
        """
        if self.protocol not in PROTOCOLS:
            raise InputError(f"Unknown protocol '{self.protocol}'; {did_you_mean(self.protocol, PROTOCOLS)}")
        for key in ("tolerances_mm", "detection_ml"):
            if not all(_is_number(one) and one >= 0 for one in getattr(self, key)):
                raise InputError(f"expected numbers >= 0 as {key}, got {getattr(self, key)}")
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise InputError(f"expected each number of {key} once, got {getattr(self, key)}")
        width_mm = self.boundary_width_mm
        if width_mm is not None and not (_is_number(width_mm) and width_mm > 0):
            raise InputError(f"expected boundary_width_mm > 0, got {width_mm}")
        names = [one.name for one in (*(self.classes or ()), *self.regions)]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"two structures are called '{name}'; give each class and region its own name")
        if self.classes is not None:
            self._check_region_labels()
            self.check_names(names)
        else:
            # Which labels there are is seen when the files are read; a name that no label can have is refused now.
            self.check_names([*names, *(name for name in self._asked if re.fullmatch(r"class [1-9]\d*", name))])

    @classmethod
    def from_options(
        cls,
        dataset: str | None = None,
        *,
        classes: str | Sequence[str] | Mapping[int, str] | None = None,
        num_classes: int | None = None,
        regions: str | Mapping[str, Sequence[int]] | None = None,
        label_map: Mapping[int, int] | None = None,
        tolerances_mm: Sequence[float] | float = (1, 2),
        detection_ml: Sequence[float] | float = (0, 0.1, 1),
        lesions: str | Sequence[str] = (),
        tubular: str | Sequence[str] = (),
        protocol: str = "full",
        boundary_width_mm: float | None = None,
    ) -> "EvaluationSettings":
        """Make settings from user options, which are those of ``python -m regionwise evaluate``.

        Args:
            dataset: Source of class names and label values if ``classes`` and ``label_map`` are not given.
            classes: See `named_classes`.
            num_classes: See `named_classes`.
            regions: See `named_regions`; the name of a dataset gives its class names, too.
            label_map: Label values to replace, old to new.
            tolerances_mm: Tolerances of the surface Dice.
            detection_ml: Volume thresholds of the detection table.
            lesions: Names of structures, as a sequence or one string with commas.
            tubular: The same.
            protocol: A key of `PROTOCOLS`.
            boundary_width_mm: Width of the rim for boundary IoU.

        Raises:
            InputError: If an option is unknown or invalid.
        """
        region_set = regions if isinstance(regions, str) and regions in REGIONS else None
        if dataset is not None and region_set not in (None, dataset):
            raise InputError(f"the regions of {region_set} are not those of dataset '{dataset}'; leave out --regions")
        known = dataset or region_set
        names, aliases = dataset_classes(known) if known else (None, {})
        return cls(
            classes=named_classes(names if classes is None and num_classes is None else classes, num_classes),
            regions=named_regions(regions),
            label_map=aliases if label_map is None else _as_label_map(label_map),
            tolerances_mm=_as_numbers(tolerances_mm),
            protocol=protocol,
            lesions=_as_names(lesions, "--lesions"),
            tubular=_as_names(tubular, "--tubular"),
            boundary_width_mm=boundary_width_mm,
            detection_ml=_as_numbers(detection_ml),
        )

    @property
    def _asked(self) -> tuple[str, ...]:
        return (*self.lesions, *self.tubular)

    def check_names(self, names: Sequence[str]) -> None:
        """Check that the structures to count by lesion or by center line exist.

        Args:
            names: Names of all structures.

        Raises:
            InputError: If one does not exist.
        """
        for name in self._asked:
            if name not in names:
                choices = did_you_mean(name, names) if names else "name the structures with --classes"
                raise InputError(f"Unknown structure '{name}'; {choices}")

    def _check_region_labels(self) -> None:
        known = sorted({label for one in self.classes or () for label in one.labels})
        for region in self.regions:
            if unknown := sorted(set(region.labels) - set(known)):
                labels = ", ".join(map(str, known))
                raise InputError(f"region '{region.name}' holds label {unknown[0]}; the labels are {labels}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _as_label_map(label_map: Mapping[int, int]) -> dict[int, int]:
    if not isinstance(label_map, Mapping):
        raise InputError(f"expected --label_map as {{old: new}}, got {label_map!r}")
    return {as_label(old, "--label_map"): as_label(new, "--label_map") for old, new in label_map.items()}


def _as_numbers(values: Sequence[float] | float) -> tuple[float, ...]:
    return tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else (values,)


def _as_names(names: str | Sequence[str], option: str) -> tuple[str, ...]:
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    if not isinstance(names, Sequence) or not all(isinstance(name, str) and name for name in names):
        raise InputError(f"expected names of structures as {option}, got {names!r}")
    return tuple(names)
