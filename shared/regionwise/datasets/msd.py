"""Medical Segmentation Decathlon tasks as downloaded; the labels here are those of Task04, hippocampus."""

import os
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import read_json
from ..nifti import stem
from .case import Case, dataset_folder, existing, wrong_layout

NAME = "an MSD task"
LABELS = {0: "background", 1: "anterior", 2: "posterior"}
ALIASES: dict[int, int] = {}
LAYOUT = "dataset.json, imagesTr/NAME.nii.gz, labelsTr/NAME.nii.gz"


def find_subjects(dataset_dir: str | os.PathLike | None) -> list[dict[str, Path]]:
    """Return the image and label file of each training case in ``dataset.json``, sorted by name.

    Raises:
        InputError: If the folder is missing or empty, or ``dataset.json`` is missing or not as published.
    """
    root = dataset_folder(dataset_dir, NAME, LAYOUT)
    if not (root / "dataset.json").is_file():
        raise wrong_layout(root, NAME, LAYOUT)
    entries = read_description(root / "dataset.json")["training"]
    pairs = [{key: root / str(entry[key]) for key in ("image", "label")} for entry in entries]
    # Archives made on a Mac list a resource file "._NAME" beside each scan.
    pairs = [pair for pair in pairs if not pair["image"].name.startswith("._")]
    if not pairs:
        raise InputError(f"expected cases under 'training' in {root / 'dataset.json'}, found none")
    names = [pair["image"].name for pair in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{root / 'dataset.json'} lists {repeated[0]} more than once under 'training'")
    return sorted(pairs, key=lambda pair: pair["image"].name)


def read_subject(subject: dict[str, Path]) -> list[Case]:
    """Return the case of one entry of ``dataset.json``.

    The decathlon does not say which crops come from one person, so each case counts as a subject.

    Raises:
        InputError: If the image or the label is missing.
    """
    name = stem(subject["image"])
    image = existing(subject["image"], f"the image of {name}")
    label = existing(subject["label"], f"the label of {name}")
    return [Case(case_id=name, subject_id=name, image=image, label=label, group="")]


def read_description(path: Path) -> dict[str, Any]:
    """Read ``dataset.json``.

    Raises:
        InputError: If it is not JSON, has no list ``training`` of image-label pairs, or has other labels.
    """
    content = read_json(path, "download it again")
    entries = content.get("training") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) and {"image", "label"} <= set(e) for e in entries):
        raise InputError(f'expected "training": [{{"image": ..., "label": ...}}, ...] in {path}')
    labels = content.get("labels", LABELS)
    named = {str(index): str(name).lower() for index, name in labels.items()} if isinstance(labels, dict) else {}
    if set(named) != {str(index) for index in LABELS} or not all(
        LABELS[index] in named[str(index)] for index in LABELS
    ):
        expected = ", ".join(f"{index} {name}" for index, name in LABELS.items())
        raise InputError(f"expected the labels {expected} (Task04) in {path}, found {labels}")
    return content
