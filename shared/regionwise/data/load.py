"""Read a case of a datalist into channel-first MetaTensors, and reject cases that cannot be trained on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from ..datasets.case import with_case_id
from ..datasets.check import find_case_problems
from ..datasets.registry import LABELS, to_classes
from ..errors import InputError
from ..nifti import Volume, read_image, read_labels


class LoadCased(MapTransform):
    """Read ``image`` (one file, or one per channel) and ``label`` (one file, or one per rater) of a case.

    Replaces `LoadImaged` + `EnsureChannelFirstd` for unchecked data: every error is one line that names the
    file. Input: paths. Output: MetaTensor float32 (C, *spatial) and MetaTensor uint8 (1, *spatial), both in file
    order with the file's affine. Of several raters the label is (raters, *spatial): `regionwise.fusion.FuseRatersd`
    makes one of them.

    Args:
        keys: which of ``image`` and ``label`` to read.
        dataset: its name; labels are converted to its class indices; any other label is an error.

    Raises:
        InputError: If a file is missing or damaged, or the case has one of the errors that `check` reports.
    """

    def __init__(self, keys: KeysCollection = ("image", "label"), dataset: str = "msd") -> None:
        super().__init__(keys)
        self.dataset = dataset

    def __call__(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """Read the files of a case; ``scan``, the path of the first channel, and a missing ``case_id`` are added."""
        case = with_case_id(data)
        paths = _as_list(case["image"])
        channels = [read_image(path) for path in paths]
        labels = [self._read_label(path) for path in _as_list(case["label"])] if "label" in self.keys else []
        checked: list[Volume | None] = [*labels] or [None]
        for label in checked:
            problems = find_case_problems(channels, label, LABELS[self.dataset])
            if problems:
                raise InputError(problems[0])
        if "image" in self.keys:
            arrays = [channel.array for channel in channels]
            array = arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
            case["scan"] = str(paths[0])
            case["image"] = MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(channels[0].affine))
        if labels:
            array = labels[0].array[None] if len(labels) == 1 else np.stack([label.array for label in labels])
            case["label"] = MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(labels[0].affine))
        return case

    def _read_label(self, path: str) -> Volume:
        label = read_labels(path, ndims=(3,))
        try:
            return replace(label, array=to_classes(self.dataset, label.array))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def _as_list(paths: str | list[str] | tuple[str, ...]) -> list[str]:
    return list(paths) if isinstance(paths, list | tuple) else [paths]
