"""How cases are measured: one frozen object that travels to the worker processes and into the summary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
        error_maps: folder for error maps, None for none.
    """

    classes: tuple[Structure, ...] | None = None
    regions: tuple[Structure, ...] = ()
    label_map: Mapping[int, int] = field(default_factory=dict)
    tolerances_mm: tuple[float, ...] = (1, 2)
    protocol: str = "full"
    error_maps: Path | None = None
