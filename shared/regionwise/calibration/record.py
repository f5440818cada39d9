"""What a calibration found, as calibration.json: kept beside the weights, and in a packed bundle beside its configs."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import read_json

FILE = "calibration.json"
SHOWN = {"ace": 3, "ece": 4, "nll": 4, "volume_bias_ml": 2}
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


def as_number(value: float | None) -> float | None:
    """Return a number that JSON can hold: None for infinity."""
    return None if value is None or math.isinf(value) else value


def text_table(record: dict[str, Any]) -> str:
    """Short table to print: the scaling, scores before and after, margins."""
    lines = []
    if record["scaling"]:
        numbers = dict.fromkeys(f"{one:.3f}" for one in record["scaling"]["temperature"])  # one if all are alike
        lines.append(f"temperature {', '.join(numbers)}")
        lines.append(f"{'structure':<20}{'ACE':>16}{'ECE':>18}{'NLL':>18}{'bias ml':>16}   before, after")
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
