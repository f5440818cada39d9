"""Record of a calibration, calibration.json: kept beside the weights, and in a packed bundle beside its configs."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import read_json
from .isotonic import ClassMaps
from .lead import LeadMap
from .local import LocalScaling
from .scaling import Scaling

OF_NO_LAYER = {"isotonic": ClassMaps, "lead": LeadMap, "local": LocalScaling}
"""Methods that no layer of a network can hold."""

METHODS_OF_PROBABILITIES = ("temperature", "bias", *OF_NO_LAYER)
"""Methods for probabilities: they are logits up to a constant per voxel, which one factor leaves one."""

Calibrator = Scaling | ClassMaps | LeadMap | LocalScaling

FILE = "calibration.json"
SHOWN = {"dice": 4, "ace": 3, "ece": 4, "nll": 4, "volume_bias_ml": 2}
"""Scores of the printed table, with their decimals."""
SECTIONS = ("scaling", "margins_mm", "trust", "volumes")


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a calibration.json.

    Raises:
        InputError: If it is missing, not JSON, or not of this kind.
    """
    content = read_json(path, "write one with 'regionwise calibrate'")
    if not isinstance(content, Mapping) or not set(SECTIONS) <= set(content):
        raise InputError(f"expected the keys {', '.join(SECTIONS)} in {path}; write it with 'regionwise calibrate'")
    return dict(content)


def margin_of(record: Mapping[str, Any], structure: str) -> tuple[float, float]:
    """Outer and inner margin of a structure in mm.

    Raises:
        InputError: If the calibration has none for it, or no radius was enough.
    """
    found = record["margins_mm"].get("structures", {}).get(structure)
    if found is None:
        raise InputError(f"the calibration has no margin for '{structure}'; calibrate with cases that have it")
    if found["outer"] is None or found["inner"] is None:
        raise InputError(f"no margin was enough for '{structure}': too many of its predictions were empty")
    return float(found["outer"]), float(found["inner"])


def calibrator_of(record: Mapping[str, Any] | None) -> Calibrator | None:
    """Return what is to be done to probabilities: nothing (None) where the weights hold the scaling already."""
    scaling = (record or {}).get("scaling")
    if not scaling or weights_hold_scaling(record or {}):
        return None
    kind = OF_NO_LAYER.get(scaling["method"], Scaling)
    return kind(**{key: tuple(value) for key, value in scaling.items() if key != "method"})


def weights_hold_scaling(record: Mapping[str, Any]) -> bool:
    """Return whether the scaling of a record lies in the last layer of the weights that it names."""
    scaling = record.get("scaling")
    return scaling is not None and "weights_sha256" in record and scaling["method"] not in OF_NO_LAYER


def describe_scaling(scaling: Mapping[str, Any]) -> str:
    """Describe a scaling in a few words."""
    if scaling["method"] == "isotonic":
        return f"a rising function per class, {', '.join(str(len(one)) for one in scaling['knots'])} knots"
    if scaling["method"] == "lead":
        return f"lead of the most probable class: {len(scaling['leads'])} knots, {scaling['values'][-1]:.2f} at most"
    if scaling["method"] == "local":
        return f"temperature per voxel, of {len(scaling['weights'])} weights"
    numbers = dict.fromkeys(f"{one:.3f}" for one in scaling["temperature"])  # one if all are alike
    shift = ", ".join(f"{one:.3f}" for one in scaling["shift"])
    return f"temperature {', '.join(numbers)}" + (f", shift {shift}" if scaling["method"] == "bias" else "")


def as_number(value: float | None) -> float | None:
    """Return a number that JSON can hold: None for infinity."""
    return None if value is None or math.isinf(value) else value


def text_table(record: dict[str, Any]) -> str:
    """Short table to print: the scaling, scores before and after, margins."""
    lines = []
    if record["scaling"]:
        lines.append(describe_scaling(record["scaling"]))
        lines.append(f"{'structure':<20}{'Dice':>16}{'ACE':>18}{'ECE':>18}{'NLL':>18}{'bias ml':>16}   before, after")
        for name, before in record["calibration"]["before"].items():
            after = record["calibration"]["after"][name]
            cells = [f"{before[key]:>8.{digits}f}{after[key]:>8.{digits}f}" for key, digits in SHOWN.items()]
            lines.append(f"{name:<20}{'  '.join(cells)}")
    margins = record["margins_mm"]
    lines.append(
        f"margins: at least {margins['inside']:.0%} of the structure inside in {1 - margins['alpha']:.0%} of patients; "
        f"{margins['n']} patients, none below {margins['floor']:.1%} could be promised"
    )
    for name, one in margins["structures"].items():
        shown = ["none is enough" if one[key] is None else f"{one[key]:.2f} mm" for key in ("outer", "inner")]
        lines.append(f"{name:<20}+{shown[0]}, -{shown[1]}; {one['patients_without']} patients without it")
    return "\n".join(lines)
