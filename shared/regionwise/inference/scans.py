"""List scans without labels for inference."""

from collections.abc import Callable, Sequence
from typing import Any

from ..datasets import brats
from ..distributed import barrier
from ..options import as_flag, as_path
from ..scans import CheckedScans, check_folder, check_outputs, find_scan_problems, find_scans
from .save import PREDICTIONS, PROBABILITIES

MODALITIES = {"brats": brats.MODALITIES}
"""Datasets whose images have several files, ``<name>_<modality>``, in the networks' channel order."""


def scans(
    input: str,
    dataset: str,
    output_dir: str,
    probabilities: bool | str = False,
    overwrite: bool | str = False,
) -> CheckedScans:
    """Find and read the scans at a path, and make sure that nothing is lost by writing their label maps.

    Args:
        input: a NIfTI file, or a folder of them; with several modalities, any file of a scan, or a folder of scans.
        dataset: the dataset the network was trained on.
        output_dir: output folder; label maps go to ``predictions/<case_id>.nii.gz`` in it.
        probabilities: whether probabilities are written as well.
        overwrite: whether to replace those of an earlier run.

    Returns:
        The scans that can be segmented, with ``case_id`` (the file's name, without the modality if there are several)
        and ``image``, and what is wrong with the others.

    Raises:
        InputError: nothing to segment, or an output would overwrite an input or (without ``overwrite``) an earlier
            result.
    """
    return check_scans(find_scans(input, MODALITIES.get(dataset)), output_dir, probabilities, overwrite)


def check_scans(
    found: Sequence[dict[str, Any]],
    output_dir: str,
    probabilities: bool | str = False,
    overwrite: bool | str = False,
    find_problems: Callable[[Any], list[str]] = find_scan_problems,
) -> CheckedScans:
    """Read scans, and make sure that nothing is lost by writing their label maps.

    Args:
        found: a datalist with ``case_id`` and ``image``.
        output_dir: see `scans`.
        probabilities: see `scans`.
        overwrite: see `scans`.
        find_problems: lists what makes the files of a scan unfit.

    Raises:
        InputError: no scan can be segmented, or an output would overwrite an input or (without ``overwrite``) an
            earlier result.
    """
    kinds = (PREDICTIONS, PROBABILITIES) if as_flag(probabilities, "save_probabilities") else (PREDICTIONS,)
    for kind in kinds:
        folder = check_folder(as_path(output_dir, "output_dir") / kind)
        check_outputs(found, [folder / f"{scan['case_id']}.nii.gz" for scan in found], as_flag(overwrite, "overwrite"))
    checked = CheckedScans(found, find_problems)
    barrier()  # of several processes, none writes before all have looked
    return checked
