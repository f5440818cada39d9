"""Metadata of a scan: its BIDS sidecar, ACDC's ``Info.cfg``, or DICOM tags."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..datasets.acdc import read_info
from ..errors import InputError
from ..files import read_json
from ..nifti import stem

INFO = "Info.cfg"


def read_metadata(scan: str | os.PathLike) -> dict[str, Any]:
    """Return what is known about a scan: the keys of ``Info.cfg`` in its folder, and of ``<scan>.json`` beside it.

    Args:
        scan: A NIfTI file.

    Returns:
        Key to text or number as it is written; {} if there is neither file.

    Raises:
        InputError: If a file is not what its name says.
    """
    path = Path(scan)
    found: dict[str, Any] = dict(read_info(path.with_name(INFO))) if path.with_name(INFO).is_file() else {}
    sidecar = path.with_name(f"{stem(path)}.json")
    if sidecar.is_file():
        content = read_json(sidecar, "it is the scan's sidecar")
        if not isinstance(content, dict):
            raise InputError(f"expected {{key: value}} in {sidecar}, found {type(content).__name__}")
        found |= content
    return found


def read_dicom_metadata(file: str | os.PathLike, keys: Iterable[str]) -> dict[str, Any]:
    """Return DICOM attributes by keyword, such as ``MagneticFieldStrength``; those that are absent are left out.

    BIDS sidecars use the same names, so that ``write_json`` of this beside a converted scan is all that is needed.

    Raises:
        InputError: If pydicom is not installed, or the file is no DICOM file.
    """
    try:
        from pydicom import dcmread
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise InputError("DICOM needs pydicom; pip install pydicom") from error
    try:
        header = dcmread(file, stop_before_pixels=True)
    except (InvalidDicomError, OSError) as error:
        raise InputError(f"{file} is not a readable DICOM file ({error})") from error
    values = {key: header.get(key) for key in keys}
    return {
        key: float(value) if isinstance(value, int | float) else str(value)
        for key, value in values.items()
        if value not in (None, "")
    }
