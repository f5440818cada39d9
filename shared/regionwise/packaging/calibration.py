"""A run's calibration in a packed bundle: the record beside the configurations, and a section of the model card."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..calibration.record import FILE, describe_scaling, read_record, weights_hold_scaling
from ..errors import InputError


def find_calibration(weights_file: Path) -> dict[str, Any] | None:
    """Read the calibration beside the weights; None if they were not calibrated.

    Raises:
        InputError: If it cannot be read, or is of other weights.
    """
    path = weights_file.parent / FILE
    if not path.is_file():
        return None
    record = read_record(path)
    if record.get("weights_sha256") not in (None, sha256(weights_file.read_bytes()).hexdigest()):
        raise InputError(f"{path} is of other weights than {weights_file}; pack those that 'calibrate' wrote")
    return record


def calibration_section(record: Mapping[str, Any], name: str) -> str:
    """Return the calibration as a section of the model card, with what of it needs this package."""
    scaling, margins = record["scaling"], record["margins_mm"]
    lines = ["## Calibration and trust", ""]
    if weights_hold_scaling(record):
        numbers = ", ".join(dict.fromkeys(f"{one:.3f}" for one in scaling["temperature"]))
        lines += [
            f"The last layer holds a temperature of {numbers}, fitted on {record['cases']} cases of "
            f"{record['patients']} patients: whatever runs the network, MONAI alone included, gives calibrated "
            "probabilities. One temperature changes no label." + _shifted(scaling),
            "",
        ]
    elif scaling:
        lines += [
            f"Probabilities are calibrated ({describe_scaling(scaling)}) by `regionwise predict --uncertainty`, which "
            "needs the package in this folder; those of MONAI alone are as trained. Labels are the same.",
            "",
        ]
    lines += [
        f"Margins: dilated by the outer margin, the prediction holds at least {margins['inside']:.0%} of the structure "
        f"in at least {1 - margins['alpha']:.0%} of further patients like the {margins['n']} of the calibration "
        f"(conformal risk control; with {margins['n']} patients no failure rate below {margins['floor']:.1%} can be "
        "promised).",
        "",
        "| structure | outer (mm) | inner (mm) | patients without it |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {structure} | {_mm(one['outer'])} | {_mm(one['inner'])} | {one['patients_without']} |"
            for structure, one in margins["structures"].items()
        ),
        "",
        "MONAI alone writes labels. Trust scores, uncertainty maps and margins need the package `regionwise` in this "
        "folder (what it needs in turn is listed below), with configs/calibration.json:",
        "",
        f"    cd {name} && python -m regionwise predict --bundle . --input scan.nii.gz --output_dir out "
        "--uncertainty --margins",
        "",
    ]
    return "\n".join(lines)


def _shifted(scaling: Mapping[str, Any]) -> str:
    return "" if len(set(scaling["shift"])) == 1 else " It holds a shift per class, too, which changes labels."


def _mm(value: float | None) -> str:
    return "none is enough" if value is None else f"{value:.2f}"
