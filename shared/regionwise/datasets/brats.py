"""BraTS (multi-modal brain MRI) as downloaded: the 2018 layout and the naming of later years."""

import os
import re
from pathlib import Path

from ..errors import InputError, did_you_mean
from .case import Case, dataset_folder, existing, wrong_layout

NAME = "BraTS"
LABELS = {0: "background", 1: "necrotic core", 2: "edema", 3: "enhancing tumor"}
ALIASES = {4: 3}
"""Until 2021 the enhancing tumor is 4 in the files and 3 is not used."""
MODALITIES = ("t2", "t1", "t1ce", "flair")
"""The order of the image files, hence of the network's input channels (the paper's)."""
LAYOUT = (
    "HGG/ID/ID_{t1,t1ce,t2,flair,seg}.nii.gz (also LGG/), or ID/ with these names or ID-{t1n,t1c,t2w,t2f,seg}.nii.gz"
)
SUBSETS = ("HGG", "LGG", "all")
_LATER_NAMES = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f", "seg": "seg"}


def find_subjects(dataset_dir: str | os.PathLike | None, subset: str | None = None) -> list[Path]:
    """Return the case folders, sorted by name.

    Args:
        dataset_dir: the folder that holds ``HGG`` and ``LGG``, or the case folders themselves.
        subset: ``HGG``, ``LGG`` or ``all``; by default HGG (as in the paper) if the layout separates the grades, and
            everything if it does not.

    Raises:
        InputError: If the folder is missing, empty or of another layout, or does not separate the grades.
    """
    if subset is not None and subset not in SUBSETS:
        raise InputError(f"Unknown BraTS subset '{subset}'; {did_you_mean(subset, SUBSETS)}")
    root = dataset_folder(dataset_dir, NAME, LAYOUT)
    graded = any((root / grade).is_dir() for grade in ("HGG", "LGG"))
    if not graded and subset in ("HGG", "LGG"):
        raise InputError(f"expected the folders HGG and LGG in {root} for subset {subset}, found neither; use 'all'")
    grades = {None: ("HGG",), "all": ("HGG", "LGG")}.get(subset, (str(subset),)) if graded else (".",)
    folders = [root / grade for grade in grades if (root / grade).is_dir()]
    subjects = [path for folder in folders for path in folder.iterdir() if path.is_dir() and _is_case(path)]
    if not subjects:
        raise wrong_layout(folders[0] if folders else root, NAME, LAYOUT)
    return sorted(subjects, key=lambda path: path.name)


def read_subject(subject: Path) -> list[Case]:
    """Return the case of one folder, its images in the order t2, t1, t1ce, flair.

    Raises:
        InputError: If a modality or the segmentation is missing.
    """
    later = any(subject.glob(f"{subject.name}-*.nii.gz"))
    files = {
        name: subject / (f"{subject.name}-{_LATER_NAMES[name]}.nii.gz" if later else f"{subject.name}_{name}.nii.gz")
        for name in (*MODALITIES, "seg")
    }
    images = [existing(files[name], f"modality {name} of {subject.name}") for name in MODALITIES]
    label = existing(files["seg"], f"the label of {subject.name}")
    group = subject.parent.name if subject.parent.name in ("HGG", "LGG") else ""
    # Later years name the time points of a person BraTS-GLI-<person>-<time point>.
    person = re.sub(r"-\d{3}$", "", subject.name) if later else subject.name
    return [Case(case_id=subject.name, subject_id=person, image=images, label=label, group=group)]


def paper_split(subjects: list[str]) -> tuple[list[str], list[str]]:
    """Return the paper's training and validation subjects: every other sorted folder, training first."""
    return sorted(subjects)[::2], sorted(subjects)[1::2]


def _is_case(folder: Path) -> bool:
    return any(folder.glob(f"{folder.name}[_-]*.nii.gz"))
