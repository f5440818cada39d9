"""Shared by the dataset readers: the case record and the checks of a dataset's folder."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from ..errors import InputError


class Case(TypedDict):
    """One labeled scan.

    Attributes:
        case_id: unique in its dataset; also the file name of its prediction.
        subject_id: the patient; a split never separates the cases of one subject.
        image: the file, or one file per modality in channel order.
        label: the reference segmentation.
        group: the subgroup to report on (ED or ES, HGG or LGG), or "".
    """

    case_id: str
    subject_id: str
    image: str | list[str]
    label: str
    group: str


def with_case_id(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of a datalist with its ``case_id``; by default the name of its (first) image file.

    A plain ``[{"image": ..., "label": ...}]``, as other tools write it, has no case names.

    Examples:
        >>> with_case_id({"image": ["scans/a_t1.nii.gz", "scans/a_t2.nii.gz"]})["case_id"]
        'a_t1'
        >>> with_case_id({"case_id": "first", "image": "scans/a.nii.gz"})["case_id"]
        'first'
    """
    image = item["image"][0] if isinstance(item["image"], list | tuple) else item["image"]
    return {"case_id": Path(str(image)).name.removesuffix(".gz").removesuffix(".nii"), **item}


def dataset_folder(dataset_dir: str | os.PathLike | None, name: str, layout: str) -> Path:
    """Return the dataset's folder after checking that it exists and is not empty.

    Args:
        dataset_dir: what the user gave.
        name: the dataset, e.g. ``ACDC``.
        layout: its files in words, e.g. ``patientNNN/{Info.cfg, ...}``.

    Raises:
        InputError: If it is None, missing, a file or empty.
    """
    if dataset_dir is None or str(dataset_dir) == "":
        raise InputError(f"no dataset given: pass --dataset_dir DIR with {name}: {layout}")
    folder = Path(str(dataset_dir)).expanduser()
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise InputError(f"expected {name} in {folder}: {layout}; found {found}")
    if not any(folder.iterdir()):
        raise wrong_layout(folder, name, layout)
    return folder


def wrong_layout(folder: Path, name: str, layout: str) -> InputError:
    """Return the error that says which layout was expected and what the folder holds instead."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    found = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return InputError(f"expected {name} in {folder}: {layout}; found {found or 'an empty folder'}")


def existing(path: Path, role: str, hint: str = "download the case again") -> str:
    """Return ``path`` as a string after checking that the file exists and is not empty.

    Args:
        path: the file.
        role: its role in the case, e.g. ``the label of patient001_frame01``.
        hint: what to do if it is missing.

    Raises:
        InputError: If the file does not exist or is empty.
    """
    if not path.is_file():
        raise InputError(f"{role} is missing: expected {path}; {hint}")
    if path.stat().st_size == 0:
        raise InputError(f"{role} is an empty file: {path}; {hint}")
    return str(path)
