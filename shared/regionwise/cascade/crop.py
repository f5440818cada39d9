"""Crop a case to the box of a prior, and put predictions of the crop back into the volume."""

import os
import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import Crop, InvertibleTransform, MapTransform

from ..errors import InputError
from ..geometry import Grid, find_grid_problems
from ..nifti import read_labels
from ..options import as_flag
from .boxes import find_box
from .priors import find_prior, find_priors, priors_digest


class CropToPriord(MapTransform, InvertibleTransform):
    """Crop the images of a case to the box around structures of a prior: labels that another network predicted.

    A prior without the structures leaves the whole volume, and one line on stderr says so. The inverse (MONAI's
    `Invertd`) puts labels, or class scores, of the crop back: background outside.

    Args:
        keys: MetaTensors (C, *spatial) in file order, on the grid of the prior.
        prior_dir: See `regionwise.cascade.priors.find_priors`; the label map of a case is found by ``case_id``.
        structures: Labels of the prior to crop to; [] for all of them.
        margin_mm: Distance to keep on every side.
        out_of_fold: See `find_priors`; for training.

    Raises:
        InputError: If a prior is missing or on another grid, the margin is negative or not finite, or the structures
            are no labels.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prior_dir: str | os.PathLike | Sequence[str],
        structures: Sequence[int] = (),
        margin_mm: float = 20.0,
        out_of_fold: bool | str = False,
    ) -> None:
        super().__init__(keys)
        if isinstance(margin_mm, bool) or not isinstance(margin_mm, int | float) or not 0 <= margin_mm < float("inf"):
            raise InputError(f"expected --margin_mm to be a number >= 0, found {margin_mm!r}")
        if isinstance(structures, str) or not isinstance(structures, Sequence) or not all(map(_is_label, structures)):
            raise InputError(f"expected --prior_structures as a list of labels such as [1, 2], found {structures!r}")
        self._priors = find_priors(prior_dir, as_flag(out_of_fold, "out_of_fold"))
        self.structures, self.margin_mm = list(structures), margin_mm
        self._crop = Crop()
        self.digest = priors_digest(self._priors)  # part of the store's key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the case with cropped images."""
        result = dict(data)
        prior = read_labels(find_prior(self._priors, str(data["case_id"])), ndims=(3,))
        for key in self.keys:
            image = result[key]
            grid = Grid(tuple(image.shape[1:]), image.affine.numpy(), data.get("scan", key))
            problems = find_grid_problems(grid, prior.grid)
            if problems:
                raise InputError(problems[0])
        box = find_box(prior.array, self.structures, prior.spacing_mm, self.margin_mm)
        if box is None:
            wanted = f"label {', '.join(map(str, self.structures))}" if self.structures else "label"
            print(f"{data['case_id']}: no {wanted} in {prior.path}, using the whole volume", file=sys.stderr)
            box = tuple((0, size) for size in prior.array.shape)
        for key in self.keys:
            result[key] = self._crop(result[key], tuple(slice(*ends) for ends in box))
        return result

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the case with images of the volume's size; what was outside the crop is background."""
        result = dict(data)
        for key in self.keys:
            if key not in result:
                continue
            cropped = result[key].applied_operations[-1]["extra_info"]["cropped"]
            whole = self._crop.inverse(result[key])
            if len(whole) > 1:  # scores: outside the background is certain
                pairs = zip(cropped[::2], cropped[1::2], whole.shape[1:], strict=True)
                inside = tuple(slice(before, size - after) for before, after, size in pairs)
                background = torch.ones_like(whole[0])
                background[inside] = whole[0][inside]
                whole[0] = background
            result[key] = whole
        return result


def _is_label(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
