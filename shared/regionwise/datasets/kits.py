"""KiTS19 (abdominal CT) as downloaded: the kits19 repository after its own download script has run."""

import os
import re
from pathlib import Path

from .case import Case, dataset_folder, existing, wrong_layout

NAME = "KiTS19"
LABELS = {0: "background", 1: "kidney", 2: "tumor"}
ALIASES: dict[int, int] = {}
LAYOUT = "case_NNNNN/{imaging,segmentation}.nii.gz, directly or under data/"
FIRST_TEST_CASE = 210
"""Cases 210-299 are the challenge's test set and have no public label."""


def find_subjects(dataset_dir: str | os.PathLike | None) -> list[Path]:
    """Return the case folders, sorted; those of the test set (from 210 on, without a label) are not cases.

    Raises:
        InputError: If the folder is missing, empty or holds no labeled cases.
    """
    root = dataset_folder(dataset_dir, NAME, LAYOUT)
    root = root / "data" if (root / "data").is_dir() else root
    folders = sorted(path for path in root.iterdir() if path.is_dir() and re.fullmatch(r"case_\d+", path.name))
    subjects = [path for path in folders if _number(path.name) < FIRST_TEST_CASE or _label(path).exists()]
    if not subjects:
        raise wrong_layout(root, NAME, LAYOUT)
    return subjects


def read_subject(subject: Path) -> list[Case]:
    """Return the case of one folder.

    Raises:
        InputError: If the image or the segmentation is missing.
    """
    label = existing(_label(subject), f"the label of {subject.name}", "clone the kits19 repository again")
    hint = "download it with the kits19 repository's own script: python -m starter_code.get_imaging"
    image = existing(subject / "imaging.nii.gz", f"the image of {subject.name}", hint)
    return [Case(case_id=subject.name, subject_id=subject.name, image=image, label=label, group="")]


def paper_split(subjects: list[str]) -> tuple[list[str], list[str]]:
    """Return the paper's training (even numbers of 0..209) and validation cases (odd); other cases are in neither."""
    numbers = {subject: _number(subject) for subject in subjects if _number(subject) < FIRST_TEST_CASE}
    return [s for s in numbers if numbers[s] % 2 == 0], [s for s in numbers if numbers[s] % 2 == 1]


def _label(folder: Path) -> Path:
    return folder / "segmentation.nii.gz"


def _number(name: str) -> int:
    return int(name.removeprefix("case_"))
