"""List scans without labels for inference."""

from pathlib import Path
from typing import Any

from ..datasets import brats
from ..errors import InputError

SUFFIXES = (".nii.gz", ".nii")
MODALITIES = {"brats": brats.MODALITIES}
"""Datasets whose images have several files, ``<name>_<modality>``, in the networks' channel order."""


def scans(input: str, dataset: str) -> list[dict[str, Any]]:
    """List the scans at a path (a file or a folder, without subfolders) as a datalist without labels.

    Args:
        input: a NIfTI file, or a folder of them; with several modalities, any file of a scan, or a folder of scans.
        dataset: the dataset the network was trained on.

    Returns:
        Items with ``case_id`` (the file's name, without the modality if there are several) and ``image``.

    Raises:
        InputError: If nothing is found, or a modality of a scan is missing.
    """
    path = Path(str(input)).expanduser()
    if not path.exists():
        raise InputError(f"expected a scan or a folder of scans at {path}, found nothing; pass --input")
    files = [path] if path.is_file() else sorted(path.iterdir())
    files = [file for file in files if file.name.endswith(SUFFIXES) and not file.name.startswith(".")]
    if not files:
        raise InputError(f"expected .nii.gz or .nii files at {path}, found none")
    if dataset not in MODALITIES:
        return [{"case_id": _stem(file), "image": str(file)} for file in files]
    names = dict.fromkeys(_stem(file).rpartition("_")[0] for file in files)
    return [_several(path if path.is_dir() else path.parent, name, MODALITIES[dataset]) for name in names]


def _several(folder: Path, name: str, modalities: tuple[str, ...]) -> dict[str, Any]:
    found = []
    for modality in modalities:
        candidates = [folder / f"{name}_{modality}{suffix}" for suffix in SUFFIXES]
        present = [file for file in candidates if file.is_file()]
        if not present:
            raise InputError(f"expected {candidates[0]}, not found: a scan needs {', '.join(modalities)}")
        found.append(str(present[0]))
    return {"case_id": name, "image": found}


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".nii")
