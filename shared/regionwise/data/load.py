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
    """Read ``image`` (one file, or one per channel) and ``label`` of a case.

    Replaces `LoadImaged` + `EnsureChannelFirstd` for unchecked data: every error is one line that names the
    file. Input: paths. Output: MetaTensor float32 (C, *spatial) and MetaTensor uint8 (1, *spatial), both in file
    order with the file's affine.

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
        paths = case["image"] if isinstance(case["image"], list | tuple) else [case["image"]]
        channels = [read_image(path) for path in paths]
        label = self._read_label(case["label"]) if "label" in self.keys else None
        problems = find_case_problems(channels, label, LABELS[self.dataset])
        if problems:
            raise InputError(problems[0])
        if "image" in self.keys:
            arrays = [channel.array for channel in channels]
            array = arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
            case["scan"] = str(paths[0])
            case["image"] = MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(channels[0].affine))
        if label is not None:
            case["label"] = MetaTensor(torch.from_numpy(label.array[None]), affine=torch.from_numpy(label.affine))
        return case

    def _read_label(self, path: str) -> Volume:
        label = read_labels(path, ndims=(3,))
        try:
            return replace(label, array=to_classes(self.dataset, label.array))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
