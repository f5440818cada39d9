"""Reference labels in the derivatives of a BIDS tree: ``_dseg`` maps, or one ``_mask`` per structure."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.case import existing
from ..datasets.registry import LABELS
from ..errors import InputError, did_you_mean
from ..files import content_digest
from ..geometry import find_grid_problems
from ..nifti import read_header, read_labels, write_volume
from .names import BidsFile, describe, matches
from .tree import DERIVATIVES, DESCRIPTION, find_files, read_tsv

AUTO = "auto"
SUFFIXES = ("dseg", "mask")


def find_label_files(root: Path, labels: str | None) -> list[BidsFile]:
    """Return the label maps of a derivative.

    Args:
        root: Root of the raw tree.
        labels: Name of a folder in ``derivatives``, or the path of a derivative; ``auto``: the only one in
            ``derivatives`` with label maps, [] if there is none; None or ``none``: no labels, [].

    Raises:
        InputError: If it does not exist or has no label maps, or ``auto`` finds several.
    """
    if labels in (None, "none"):
        return []
    if labels != AUTO:
        folder = next((one for one in (root / DERIVATIVES / labels, Path(labels).expanduser()) if one.is_dir()), None)
        if folder is None:
            there = sorted(path.name for path in (root / DERIVATIVES).glob("*") if path.is_dir())
            raise InputError(f"no derivative '{labels}' in {root / DERIVATIVES}; {did_you_mean(labels, there)}")
        files = _label_files(folder)
        if not files:
            raise InputError(f"expected files that end in _dseg.nii.gz or _mask.nii.gz in {folder}, found none")
        return files
    found = {
        folder.name: _label_files(folder) for folder in sorted((root / DERIVATIVES).glob("*")) if _is_other(folder)
    }
    found = {name: files for name, files in found.items() if files}
    if len(found) > 1:
        raise InputError(f"expected labels in one derivative of {root}, found {', '.join(found)}; choose by --labels")
    return next(iter(found.values()), [])


def label_of(
    images: Sequence[BidsFile], files: Sequence[BidsFile], choice: Mapping[str, Any], dataset: str, merged: Path
) -> str | None:
    """Return the file of a case's labels in class indices; masks are merged into one, once.

    Args:
        images: The scans of the case.
        files: From `find_label_files`.
        choice: Of the label maps, see `regionwise.bids.names.check_choice`.
        dataset: Its name, for the classes.
        merged: Folder for label maps that have to be made: of masks, or with indices that a ``_dseg.tsv`` names.

    Returns:
        The file; None if the case has no labels.

    Raises:
        InputError: If the labels are ambiguous, a structure has no mask, masks overlap or are on different grids.
    """
    found = [file for file in files if matches(file, choice) and any(_is_of(file, image) for image in images)]
    maps = [file for file in found if file.entities["suffix"] == "dseg"]
    masks = [file for file in found if file.entities["suffix"] == "mask" and "label" in file.entities]
    if len(maps) > 1:
        more = "choose one by --label_choice, such as {'desc': 'manual'}"
        raise InputError(f"expected one _dseg for {images[0].path.name}, found {_names(maps)}; {more}")
    if maps:
        values = _lookup(maps[0].path, dataset)
        path = existing(maps[0].path, f"the labels of {images[0].path.name}", "get it from its source")
        if all(value == index for value, index in values.items()):
            return path
        return _write([(path, values)], merged)
    return _write(_structures(masks, dataset, images[0].path.name), merged) if masks else None


def merge(sources: Sequence[tuple[str, Mapping[int, int]]]) -> np.ndarray:
    """Return a label map made of several: each voxel gets the class of the one source that labels it.

    Args:
        sources: File, and file value to class index; a value that is not named must not occur.

    Returns:
        uint8, of the files' shape.

    Raises:
        InputError: If two sources label a voxel, they differ in shape or affine, or a value is not named.
    """
    result, first = np.empty(0), None
    for path, values in sources:
        volume = read_labels(path, ndims=(3,))
        first = first or volume.grid
        problems = find_grid_problems(first, volume.grid)
        if problems:
            raise InputError(problems[0])
        result = result if result.size else np.zeros(volume.array.shape, np.uint8)
        unknown = sorted({*map(int, np.unique(volume.array))} - {0, *values})
        if unknown:
            raise InputError(f"expected the values {', '.join(map(str, values))} in {path}, found {unknown[0]}")
        if np.any((result > 0) & (volume.array > 0)):
            raise InputError(f"the masks of a case overlap: {path} and {sources[0][0]}; expected one class per voxel")
        for value, index in values.items():
            result[volume.array == value] = index
    return result


def _structures(masks: Sequence[BidsFile], dataset: str, name: str) -> list[tuple[str, Mapping[int, int]]]:
    """Return the mask of each structure, found by the entity ``label``."""
    found: list[tuple[str, Mapping[int, int]]] = []
    for index, structure in LABELS[dataset].items():
        files = [file for file in masks if _plain(file.entities["label"]) == _plain(structure)]
        if index and len(files) != 1:
            there = _names(files or masks)
            raise InputError(f"expected one mask label-{_plain(structure)} for {name}, found {there}")
        found += [(str(file.path), {1: index}) for file in files if index]
    return found


def _lookup(path: Path, dataset: str) -> dict[int, int]:
    """Return value to class index by the ``_dseg.tsv`` beside a label map; the identity if there is none."""
    table = path.parent / (path.name.removesuffix(".gz").removesuffix(".nii") + ".tsv")
    classes = LABELS[dataset]
    if not table.is_file():
        return {index: index for index in classes}
    values = {}
    for row in read_tsv(table, "index", "name"):
        index = next((index for index, name in classes.items() if _plain(name) == _plain(row["name"])), None)
        if index is None or not row["index"].isdecimal():
            names = ", ".join(name for name in classes.values())
            raise InputError(f"expected the names {names} in {table}, found {row['index']} {row['name']!r}")
        values[int(row["index"])] = index
    return values


def _write(sources: Sequence[tuple[str, Mapping[int, int]]], folder: Path) -> str:
    text = str([(content_digest(path), sorted(values.items())) for path, values in sources])
    path = folder / f"{Path(sources[0][0]).name.partition('.')[0]}-{sha256(text.encode()).hexdigest()[:16]}.nii.gz"
    if not path.is_file():
        write_volume(path, merge(sources), like=read_header(sources[0][0]))
    return str(path)


def _is_of(label: BidsFile, image: BidsFile) -> bool:
    """Return whether a label map belongs to a scan: of what both names say, nothing differs."""
    shared = (label.entities.keys() & image.entities.keys()) - {"suffix", "datatype"}
    same = all(label.entities[key] == image.entities[key] for key in shared)
    return same and ("ses" in label.entities) == ("ses" in image.entities)


def _label_files(folder: Path) -> list[BidsFile]:
    return [file for file in find_files(folder) if file.entities["suffix"] in SUFFIXES]


def _is_other(folder: Path) -> bool:
    """Return whether a derivative is not our own predictions."""
    description = folder / DESCRIPTION
    return folder.is_dir() and not (description.is_file() and '"regionwise"' in description.read_text(encoding="utf-8"))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _names(files: Sequence[BidsFile]) -> str:
    return ", ".join(file.path.name for file in files) or describe({"suffix": "none"})
