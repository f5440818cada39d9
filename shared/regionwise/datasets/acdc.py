"""ACDC (cardiac cine MRI) as downloaded."""

import os
import re
from pathlib import Path

from ..errors import InputError
from .case import Case, dataset_folder, existing, wrong_layout

NAME = "ACDC"
LABELS = {0: "background", 1: "RV", 2: "myocardium", 3: "LV"}
ALIASES: dict[int, int] = {}
LAYOUT = "patientNNN/{Info.cfg, patientNNN_frameFF.nii.gz, patientNNN_frameFF_gt.nii.gz}, directly or under training/"


def find_subjects(dataset_dir: str | os.PathLike | None) -> list[Path]:
    """Return the patient folders, sorted.

    If there is a ``training`` folder (also as ``database/training``, as the archive unpacks), only its patients are
    read: the ``testing`` folder of recent releases holds labels too, and is read
    only if it is given as the dataset's folder.

    Raises:
        InputError: If the folder is missing, empty or holds no patients.
    """
    root = dataset_folder(dataset_dir, NAME, LAYOUT)
    for name in ("training", "database/training"):
        if (root / name).is_dir():
            root = root / name
            break
    subjects = sorted(path for path in root.iterdir() if path.is_dir() and re.fullmatch(r"patient\d+", path.name))
    if not subjects:
        raise wrong_layout(root, NAME, LAYOUT)
    return subjects


def read_subject(subject: Path) -> list[Case]:
    """Return the end-diastolic and the end-systolic case of one patient.

    Raises:
        InputError: If ``Info.cfg``, one of its keys ED and ES, or a frame's image or label is missing.
    """
    info = read_info(subject / "Info.cfg")
    frames = {phase: _frame(info, phase, subject / "Info.cfg") for phase in ("ED", "ES")}
    if frames["ED"] == frames["ES"]:
        raise InputError(f"expected two frames in {subject / 'Info.cfg'}, found {frames['ED']} for both ED and ES")
    cases = []
    for phase, frame in frames.items():
        case_id = f"{subject.name}_frame{frame:02d}"
        image = existing(subject / f"{case_id}.nii.gz", f"the {phase} image of {subject.name}")
        label = existing(subject / f"{case_id}_gt.nii.gz", f"the {phase} label of {subject.name}")
        cases.append(Case(case_id=case_id, subject_id=subject.name, image=image, label=label, group=phase))
    return cases


def read_info(path: Path) -> dict[str, str]:
    """Read the ``key: value`` lines of an ``Info.cfg``.

    Raises:
        InputError: If the file is missing or is not UTF-8 text.
    """
    existing(path, f"Info.cfg of {path.parent.name}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"expected 'key: value' lines in {path}, found no text; download it again") from error
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def paper_split(subjects: list[str]) -> tuple[list[str], list[str]]:
    """Return the paper's training (even patient numbers) and validation subjects (odd)."""
    numbers = {subject: int(subject.removeprefix("patient")) for subject in subjects}
    return [s for s in subjects if numbers[s] % 2 == 0], [s for s in subjects if numbers[s] % 2 == 1]


def _frame(info: dict[str, str], phase: str, path: Path) -> int:
    value = info.get(phase)
    if value is None:
        raise InputError(f"expected a line '{phase}: <frame number>' in {path}, found the keys {', '.join(info)}")
    if not value.isdecimal():
        raise InputError(f"expected a frame number for {phase} in {path}, found '{value}'")
    return int(value)
