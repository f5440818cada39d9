"""Scans of which some modalities are missing: finding the files that exist, reading them, NaN for the rest."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..data.load import LoadCased
from ..distributed import is_main_process
from ..errors import InputError
from ..inference import check_scans
from ..scans import CheckedScans, find_scan_problems, find_scans


def find_modalities(input: str, modalities: Sequence[str]) -> list[dict[str, Any]]:
    """List the scans of a file or a folder with the modalities that exist; one line per scan names those that do not.

    Args:
        input: As in `regionwise.scans.find_scans`.
        modalities: Endings of the files of one scan, in channel order.

    Returns:
        ``{"case_id": name, "image": [file, ...]}``, "" for a file that does not exist.

    Raises:
        InputError: If nothing is there, or no file has one of the endings.
    """
    found = []
    for scan in find_scans(input, modalities):
        files = [file if Path(file).is_file() else "" for file in scan["image"]]
        missing = [name for name, file in zip(modalities, files, strict=True) if not file]
        if missing and is_main_process():
            print(f"{scan['case_id']}: without {', '.join(missing)}", file=sys.stderr)
        found.append({**scan, "image": files})
    return found


def scans(
    input: str,
    modalities: Sequence[str],
    output_dir: str,
    probabilities: bool | str = False,
    overwrite: bool | str = False,
) -> CheckedScans:
    """Find and read the scans at a path, and make sure that nothing is lost by writing their label maps.

    Args:
        input: As in `find_modalities`.
        modalities: As in `find_modalities`.
        output_dir: As in `regionwise.inference.scans`.
        probabilities: As in `regionwise.inference.scans`.
        overwrite: As in `regionwise.inference.scans`.

    Raises:
        InputError: As in `find_modalities` and `regionwise.inference.scans`.
    """
    found = find_modalities(input, modalities)
    return check_scans(found, output_dir, probabilities, overwrite, _find_problems_of_those_there)


def _find_problems_of_those_there(image: Sequence[str]) -> list[str]:
    return find_scan_problems([file for file in image if file])


class LoadModalitiesd(MapTransform):
    """Read ``image`` as `regionwise.data.LoadCased` does; a channel whose file is "" becomes NaN.

    Args:
        keys: The image.
        dataset: As in `LoadCased`.

    Raises:
        InputError: If a scan has no modality at all; also as in `LoadCased`.
    """

    def __init__(self, keys: KeysCollection = "image", dataset: str = "brats") -> None:
        super().__init__(keys)
        self.load = LoadCased("image", dataset)

    def __call__(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """Read the files of a case: MetaTensor float32 (C, *spatial), missing channels NaN."""
        files = data["image"]
        there = [index for index, file in enumerate(files) if file]
        if not there:
            raise InputError(f"expected at least one modality of {data.get('case_id', 'a scan')}, found none")
        case = self.load({**data, "image": [files[index] for index in there]})
        image = case["image"]
        whole = torch.full((len(files), *image.shape[1:]), float("nan"))
        whole[there] = image.as_subclass(torch.Tensor)
        return {**case, "image": MetaTensor(whole, affine=image.affine)}
