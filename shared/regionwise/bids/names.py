"""File names of BIDS: entities, suffix, and the choice of files by them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, did_you_mean
from ..nifti import is_nifti_name, stem

# Entities of scans and of label maps, short name to long, in the order in which a name has them.
ENTITIES = {
    "sub": "subject", "ses": "session", "sample": "sample", "task": "task", "acq": "acquisition", "ce": "ceagent",
    "rec": "reconstruction", "dir": "direction", "run": "run", "echo": "echo", "part": "part", "chunk": "chunk",
    "hemi": "hemisphere", "space": "space", "res": "resolution", "den": "density", "atlas": "atlas",
    "seg": "segmentation", "label": "label", "desc": "description",
}  # fmt: skip
NOT_ENTITIES = ("suffix", "datatype")
EACH = "each"
ANY = "*"

_PAIR = re.compile(r"([a-z]+)-([A-Za-z0-9+]+)")


@dataclass(frozen=True)
class BidsFile:
    """A scan or label map of a BIDS tree.

    Attributes:
        path: The file.
        entities: Short name to label, without ``sub-``: ``{"sub": "01", "run": "2"}``; also ``suffix`` and
            ``datatype`` (the folder it is in).
    """

    path: Path
    entities: Mapping[str, str]


def parse_name(path: Path) -> BidsFile | None:
    """Return a NIfTI file with the entities of its name, or None if it is not named as BIDS says.

    Examples:
        >>> parse_name(Path("sub-01/anat/sub-01_run-2_T1w.nii.gz")).entities
        {'sub': '01', 'run': '2', 'suffix': 'T1w', 'datatype': 'anat'}
        >>> parse_name(Path("sub-01/anat/scan.nii.gz")) is None
        True
    """
    *parts, suffix = stem(path).split("_")
    pairs = [_PAIR.fullmatch(part) for part in parts]
    if not is_nifti_name(path) or not pairs or not all(pairs) or not suffix.isalnum():
        return None
    entities = {pair[1]: pair[2] for pair in pairs if pair}
    return BidsFile(path, entities | {"suffix": suffix, "datatype": path.parent.name}) if "sub" in entities else None


def check_choice(choice: Mapping[str, Any], option: str) -> dict[str, Any]:
    """Return a choice of files after checking the names of its entities.

    Args:
        choice: Entity (short or long name, or ``suffix`` or ``datatype``) to what it must be: a label; a list of
            labels; ``*`` for any label; None for an entity that must be absent; ``each`` makes every label a case.
        option: Name of the option, for messages.

    Raises:
        InputError: If it is not a mapping, or an entity is unknown.
    """
    if not isinstance(choice, Mapping):
        raise InputError(f"expected --{option} as {{'run': 1, ...}}, found {choice!r}")
    short = {long: name for name, long in ENTITIES.items()}
    known = [*ENTITIES, *NOT_ENTITIES]
    result = {short.get(str(key), str(key)): value for key, value in choice.items()}
    for key in result:
        if key not in known:
            raise InputError(f"Unknown entity '{key}' in --{option}; {did_you_mean(key, known)}")
    return result


def matches(file: BidsFile, choice: Mapping[str, Any]) -> bool:
    """Return whether a file has all that a choice asks for; labels that are numbers compare as numbers.

    Examples:
        >>> file = parse_name(Path("anat/sub-01_run-02_T1w.nii"))
        >>> matches(file, {"run": 2, "ce": None}), matches(file, {"ce": "*"}), matches(file, {"run": [1, 3]})
        (True, False, False)
    """
    return all(_fits(file.entities.get(key), value) for key, value in choice.items())


def _fits(label: str | None, wanted: Any) -> bool:
    if wanted is None or label is None or wanted in (ANY, EACH):
        return wanted == EACH or (label is None) == (wanted is None)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return any(_fits(label, one) for one in wanted)
    if label.isdecimal() and str(wanted).isdecimal():
        return int(label) == int(wanted)
    return label == str(wanted)


def describe(choice: Mapping[str, Any]) -> str:
    """Return a choice in words: its suffix, then the entities.

    Examples:
        >>> describe({"suffix": "T1w", "ce": None, "run": 1})
        'T1w without ce, run-1'
    """
    suffix = str(choice.get("suffix", "scan"))
    parts = [
        f"without {key}" if value is None else f"{key}-{value}" for key, value in choice.items() if key != "suffix"
    ]
    return " ".join([suffix, ", ".join(parts)]).strip()
