"""How cases are measured: one frozen object that travels to the worker processes and into the summary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, did_you_mean
from .structures import Structure

PROTOCOLS = {
    "full": "the whole volume",
    "paper": "only slices (first array axis) whose reference holds a label; predictions elsewhere are not counted",
}


@dataclass(frozen=True)
class Settings:
    """How cases are measured.

    Attributes:
        classes: the classes; None: every label that a reference holds.
        regions: unions of classes, measured beside them.
        label_map: label values to replace in predictions and references, old to new.
        tolerances_mm: one surface Dice for each.
        protocol: a key of `PROTOCOLS`.
        lesions: structures that are also counted by lesion.
        tubular: structures that are tubes: centre-line Dice.
        boundary_width_mm: width of the rim for boundary IoU; None: not measured.
        calibration_bins: bins of the reliability diagram.
        detection_ml: volume thresholds of the detection table.
        error_maps: folder for error maps; None: not written.
    """

    classes: tuple[Structure, ...] | None = None
    regions: tuple[Structure, ...] = ()
    label_map: Mapping[int, int] = field(default_factory=dict)
    tolerances_mm: tuple[float, ...] = (1, 2)
    protocol: str = "full"
    lesions: tuple[str, ...] = ()
    tubular: tuple[str, ...] = ()
    boundary_width_mm: float | None = None
    calibration_bins: int = 15
    detection_ml: tuple[float, ...] = (0, 0.1, 1)
    error_maps: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what no case could be measured with.

        Raises:
            InputError: two structures share a name, or a value that does not exist or makes no sense.
        """
        if self.protocol not in PROTOCOLS:
            raise InputError(f"there is no protocol '{self.protocol}'; {did_you_mean(self.protocol, PROTOCOLS)}")
        for key in ("tolerances_mm", "detection_ml"):
            if any(not isinstance(one, int | float) or one < 0 for one in getattr(self, key)):
                raise InputError(f"expected numbers >= 0 as {key}, got {getattr(self, key)}")
        if self.boundary_width_mm is not None and self.boundary_width_mm <= 0:
            raise InputError(f"expected boundary_width_mm > 0, got {self.boundary_width_mm}")
        names = [one.name for one in (*(self.classes or ()), *self.regions)]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"two structures are called '{name}'; give each class and region its own name")
        if self.classes is not None:
            for name in (*self.lesions, *self.tubular):
                if name not in names:
                    raise InputError(f"there is no structure '{name}'; {did_you_mean(name, names)}")
