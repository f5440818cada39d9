"""Folders of predicted label maps that serve another network as prior."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..files import content_digest, read_json
from ..inference.save import PREDICTIONS
from ..nifti import is_nifti_name, stem
from ..options import as_path

OUT_OF_FOLD = "val"


def find_priors(folders: str | os.PathLike | Sequence[str], out_of_fold: bool = False) -> dict[str, Path]:
    """Return case name to label map.

    Args:
        folders: One folder or several: of label maps, or outputs of an evaluation (their ``predictions``).
        out_of_fold: Accept only evaluations of the validation side of a split: a network that trains on boxes of
            scans that the first one was trained on meets better boxes than it will ever get.

    Raises:
        InputError: If a folder is missing or has no label maps, a case is in two of them, or predictions are not
            known to be out of fold.
    """
    if folders is None or folders in ("", []):
        raise InputError("no prior given: pass --prior_dir with the label maps of the first stage")
    priors: dict[str, Path] = {}
    for one in [folders] if isinstance(folders, str | os.PathLike) else folders:
        folder = as_path(one, "prior_dir").expanduser()
        if out_of_fold:
            _check_out_of_fold(folder)
        inside = folder / PREDICTIONS if (folder / PREDICTIONS).is_dir() else folder
        files = [file for file in sorted(inside.iterdir()) if is_nifti_name(file)] if inside.is_dir() else []
        if not files:
            raise InputError(f"expected the label maps of a first stage in {inside}, found none; pass --prior_dir")
        for file in files:
            other = priors.setdefault(stem(file), file)
            if other != file:
                raise InputError(f"expected one prior of {stem(file)}, found {other} and {file}")
    return priors


def find_prior(priors: dict[str, Path], case_id: str) -> Path:
    """Return the label map of a case.

    Raises:
        InputError: If there is none.
    """
    if case_id not in priors:
        some = next(iter(priors.values()))
        raise InputError(f"no prior of {case_id}: expected {some.with_name(case_id + '.nii.gz')}; run the first stage")
    return priors[case_id]


def priors_digest(priors: dict[str, Path]) -> str:
    """Return a text that changes with the content of any prior: stored crops of other priors are not used."""
    return " ".join(f"{name}:{content_digest(path)}" for name, path in sorted(priors.items()))


def _check_out_of_fold(folder: Path) -> None:
    summary = folder / "summary.json"
    about = read_json(summary).get("about", {}) if summary.is_file() else {}
    section = about.get("section")
    if section != OUT_OF_FOLD:
        found = f"section '{section}'" if section else "no summary.json that says so"
        raise InputError(
            f"expected predictions of scans that their network did not train on in {folder}, found {found}; "
            "evaluate each fold with --section val"
        )
