"""Metadata as category numbers: 0 is unknown, the rest are named values or ranges of a number."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError

LEAKING = {
    "group",
    "diagnosis",
    "diagnosisgroup",
    "dx",
    "disease",
    "pathology",
    "outcome",
    "grade",
    "label",
    "survival",
}
"""Names of keys that tell the answer rather than how the scan was made: ACDC's ``Group`` is the diagnosis."""

UNKNOWN = 0
Encoding = Mapping[str, Sequence[str] | Sequence[float]]


def check_encoding(encoding: Any) -> dict[str, list[Any]]:
    """Return an encoding after checking it.

    Args:
        encoding: Key to its values, ``{"Manufacturer": ["Siemens", "GE"]}``, or, for a number, to the ascending edges
            of its ranges: ``{"MagneticFieldStrength": [2]}`` is below 2 and from 2 on.

    Raises:
        InputError: If it is of another form, or a key would leak the label.
    """
    if not isinstance(encoding, Mapping) or not encoding:
        raise InputError(f"expected --metadata as {{key: [values or edges]}}, found {encoding!r}")
    result = {}
    for key, values in encoding.items():
        if "".join(filter(str.isalnum, str(key))).lower() in LEAKING:
            raise InputError(f"metadata key '{key}' tells the diagnosis, which no new scan comes with; leave it out")
        listed = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in listed)
        if not listed or not (numbers or all(isinstance(one, str) for one in listed)):
            raise InputError(f"expected a list of texts, or of numbers (edges), for metadata {key!r}, found {values!r}")
        if len(set(listed)) < len(listed) or (numbers and sorted(listed) != listed):
            raise InputError(f"expected different values, and edges in ascending order, for {key!r}, found {listed}")
        result[str(key)] = listed
    return result


def count_categories(values: Sequence[Any]) -> int:
    """Return the number of categories of a key, with that of the unknown.

    Examples:
        >>> count_categories(["Siemens", "GE"]), count_categories([160, 175])
        (3, 4)
    """
    return len(values) + (1 if isinstance(values[0], str) else 2)


def encode(metadata: Mapping[str, Any], encoding: Encoding, source: str) -> list[int]:
    """Return one category number per key of the encoding; a missing key and an unlisted text are unknown (0).

    Args:
        metadata: From `regionwise.metadata.read.read_metadata`.
        encoding: From `check_encoding`.
        source: The scan, for messages.

    Raises:
        InputError: If a number is expected and the value is none, or a text is and it is a list or mapping.

    Examples:
        >>> encoding = {"Manufacturer": ["Siemens", "GE"], "Height": [160, 175]}
        >>> encode({"Manufacturer": "GE", "Height": "181.5"}, encoding, "scan"), encode({}, encoding, "scan")
        ([2, 3], [0, 0])
    """
    return [_category(metadata.get(key), key, values, source) for key, values in encoding.items()]


def _category(value: Any, key: str, values: Sequence[Any], source: str) -> int:
    if value is None or str(value).strip().lower() in ("", "n/a", "nan", "unknown"):
        return UNKNOWN
    if isinstance(values[0], str):
        if isinstance(value, list | dict):
            raise InputError(f"expected a text for metadata {key} of {source}, found {value!r}")
        return 1 + list(values).index(str(value)) if str(value) in values else UNKNOWN
    try:
        number = math.nan if isinstance(value, bool | list | dict) else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"expected a number for metadata {key} of {source}, found {value!r}")
    return 1 + bisect_right(values, number)
