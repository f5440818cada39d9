"""Predicted label maps as BIDS derivatives, with sidecars that say where they come from."""

import os
import shutil
from collections.abc import Mapping, Sequence
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

from .. import __version__
from ..datasets.registry import LABELS
from ..distributed import barrier, is_main_process
from ..errors import InputError
from ..files import atomic_path, check_outputs, read_json, write_json, write_text
from ..inference import check_scans
from ..inference.save import PREDICTIONS
from ..options import as_flag, as_path
from ..scans import CheckedScans, image_files
from .names import ENTITIES, BidsFile, parse_name
from .tree import DESCRIPTION, describe_dataset, open_tree


def scans(
    data: Sequence[dict[str, Any]],
    dataset_dir: str | os.PathLike,
    output_dir: str,
    derivative: str | os.PathLike | None = None,
    probabilities: bool | str = False,
    overwrite: bool | str = False,
) -> CheckedScans:
    """Read the scans of a datalist, and make sure that nothing is lost by writing label maps and derivatives.

    Args:
        data: From `regionwise.bids.datalist`.
        dataset_dir: Root of the tree that the scans are in.
        output_dir: As in `regionwise.inference.scans`.
        derivative: As in `write_derivatives`.
        probabilities: As in `regionwise.inference.scans`.
        overwrite: Whether to replace label maps and derivatives of an earlier run; scans and labels never are.

    Raises:
        InputError: If no scan can be segmented, a file would be lost, or the folder holds the derivatives of another
            program.
    """
    root = open_tree(dataset_dir)
    folder = derivative_folder(root, derivative)
    _check_maker(folder)
    inputs = [Path(path) for case in data for path in (*image_files(case), case.get("label")) if path]
    targets = [folder / derivative_name(_scans_of(case), root) for case in data]
    outputs = [file for target in targets for file in (target, *_sidecars(target))]
    check_outputs(outputs, inputs, as_flag(overwrite, "overwrite"), "--derivative")
    return check_scans(data, output_dir, probabilities, overwrite)


def write_derivatives(
    data: Sequence[Mapping[str, Any]],
    dataset: str,
    dataset_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    derivative: str | os.PathLike | None = None,
    checkpoint: str | Sequence[str] = (),
) -> None:
    """Write the predictions of a datalist as ``sub-*/[ses-*/]DATATYPE/*_dseg.nii.gz``, each with .json and .tsv.

    Files of an earlier call are replaced. With several processes, the main one writes.

    Args:
        data: From `regionwise.bids.datalist`.
        dataset: Its name, for the class names.
        dataset_dir: Root of the tree that the scans are in.
        output_dir: Folder that holds ``predictions/<case_id>.nii.gz``.
        derivative: Folder to write to; by default ``derivatives/regionwise`` in the tree.
        checkpoint: The weights that predicted; named by their SHA-256.

    Raises:
        InputError: If the folder holds the derivatives of another program, or a prediction is missing.
    """
    barrier()
    if not is_main_process():
        return
    root = open_tree(dataset_dir)
    folder = derivative_folder(root, derivative)
    _describe(folder, root)
    files = [checkpoint] if isinstance(checkpoint, str) else checkpoint
    weights = [sha256(Path(file).read_bytes()).hexdigest() for file in files]
    table = "index\tname\n" + "".join(f"{index}\t{name}\n" for index, name in LABELS[dataset].items())
    for case in data:
        channels = _scans_of(case)
        target = folder / derivative_name(channels, root)
        source = as_path(output_dir) / PREDICTIONS / f"{case['case_id']}.nii.gz"
        if not source.is_file():
            raise InputError(f"expected the prediction of {case['case_id']} at {source}, not found")
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
        names, sidecar = _sidecars(target)
        write_text(names, table)
        sources = [f"bids:raw:{scan.path.relative_to(root).as_posix()}" for scan in channels]
        write_json(sidecar, {"Manual": False, "Sources": sources, "WeightsSHA256": weights})
    print(f"{len(data)} label maps in {folder}")


def derivative_name(scans: Sequence[BidsFile], root: Path) -> Path:
    """Return the path of a case's label map in a derivative: the entities that all of its scans share.

    Args:
        scans: The scans of the case, in channel order.
        root: Root of the tree they are in.

    Examples:
        >>> scan = parse_name(Path("tree/sub-01/anat/sub-01_run-2_T1w.nii.gz"))
        >>> derivative_name([scan], Path("tree")).as_posix()
        'sub-01/anat/sub-01_run-2_dseg.nii.gz'
    """
    shared = reduce(lambda left, right: left & right, (set(scan.entities.items()) for scan in scans))
    kept = {key: value for key, value in scans[0].entities.items() if (key, value) in shared and key in ENTITIES}
    name = "_".join([*(f"{key}-{value}" for key, value in kept.items()), "dseg.nii.gz"])
    return scans[0].path.parent.relative_to(root) / name


def derivative_folder(root: Path, derivative: str | os.PathLike | None) -> Path:
    """Return the folder of the derivatives, ``derivatives/regionwise`` in the tree where none is given."""
    return root / "derivatives" / "regionwise" if derivative is None else as_path(derivative, "derivative")


def _scans_of(case: Mapping[str, Any]) -> list[BidsFile]:
    return [parsed for path in image_files(case) if (parsed := parse_name(Path(path))) is not None]


def _sidecars(target: Path) -> tuple[Path, Path]:
    """Return the files beside a label map: the table of its classes, and where it comes from."""
    stem = target.name.removesuffix(".nii.gz")
    return target.with_name(f"{stem}.tsv"), target.with_name(f"{stem}.json")


def _check_maker(folder: Path) -> None:
    path = folder / DESCRIPTION
    if path.is_file() and _maker(read_json(path)) != "regionwise":
        raise InputError(f"{folder} holds the derivatives of another program; pass another --derivative")


def _maker(description: Any) -> Any:
    """Return who made a derivative, by its description; None if that does not say."""
    made_by = description.get("GeneratedBy") if isinstance(description, dict) else None
    first = made_by[0] if isinstance(made_by, list) and made_by else None
    return first.get("Name") if isinstance(first, dict) else None


def _describe(folder: Path, root: Path) -> None:
    path = folder / DESCRIPTION
    _check_maker(folder)
    links = {"raw": Path(os.path.relpath(root, folder)).as_posix()}
    write_json(path, describe_dataset("Segmentations of regionwise", __version__, links))
