"""An inferer that gives, beside the prediction, maps of its uncertainty."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer, sliding_window_inference
from monai.utils import convert_to_dst_type

from .measures import Measures
from .members import Members

MAPS = ("predictive_entropy", "mutual_information")


class UncertaintyInferer(Inferer):
    """Run every member of an ensemble over a volume, and keep their mean and their disagreement.

    Of a 2-D network a few slices at a time: memory is that of the result, the image, and all members' labels of these
    slices. A 3-D network keeps two copies of the probabilities, and one byte per voxel and member.

    Args:
        roi_size: Input size of the network: two numbers for slices, three for volumes.
        measures: Gets the measures of the case.
        slice_axis: Axis of the volume that slices are perpendicular to.
        probabilities: Return the mean probabilities, float32; else labels, all channels float16.
        overlap: Overlap of neighboring windows, in [0, 1).
        slices: Number of slices per forward pass.
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        measures: Measures,
        slice_axis: int = 2,
        probabilities: bool = True,
        overlap: float = 0.5,
        slices: int = 8,
    ) -> None:
        self.roi_size, self.measures, self.slice_axis = tuple(roi_size), measures, slice_axis
        self.probabilities, self.overlap, self.slices = probabilities, overlap, slices

    def __call__(self, inputs: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Segment one case (1, C, *spatial); ``network`` is the `Members`.

        Returns (1, K + 2, *spatial): probabilities (or one channel of labels), predictive entropy, mutual information.
        """
        assert isinstance(network, Members)
        affine = getattr(inputs, "affine", None)
        self.measures.start(1e-3 if affine is None else voxel_ml(np.asarray(affine).reshape(-1, 4, 4)[0]))
        image, flat = inputs.as_subclass(torch.Tensor), len(self.roi_size) == 2
        whole = image[0].movedim(self.slice_axis + 1, 0) if flat else image
        result, step = torch.empty(0), self.slices if flat else 1
        for first in range(0, len(whole), step):
            part = whole[first : first + step].contiguous()
            kept = self._measured(self._predictions(part, network, args, kwargs), flat)
            if first == 0:
                size = (kept.shape[0], len(whole), *kept.shape[2:]) if flat else kept.shape
                result = torch.empty(size, dtype=kept.dtype, device=kept.device)
            if flat:
                result[:, first : first + step] = kept
            else:
                result = kept
        result = result.movedim(1, self.slice_axis + 1) if flat else result
        return convert_to_dst_type(result[None], inputs, dtype=result.dtype)[0]

    def _predictions(self, part: torch.Tensor, network: Members, args: Any, kwargs: Any) -> Iterator[torch.Tensor]:
        """Yield the probabilities of each member, (B, K, *part)."""
        windows = self.slices if len(self.roi_size) == 2 else 1
        for member in network.members(len(self.roi_size)):
            found: Any = sliding_window_inference(
                part, self.roi_size, windows, member, self.overlap, "gaussian", *args, **kwargs
            )
            yield found

    def _measured(self, predictions: Iterator[torch.Tensor], flat: bool) -> torch.Tensor:
        parts = (one.movedim(0, 1) if flat else one[0] for one in predictions)
        mean, *maps = self.measures.add(parts)
        if self.probabilities:
            return torch.cat([mean, *(one[None] for one in maps)])
        labels = mean.max(0).indices
        return torch.stack([one.to(torch.float16) for one in (labels, *maps)])


def voxel_ml(affine: np.ndarray) -> float:
    """Volume of a voxel in ml."""
    return abs(float(np.linalg.det(affine[:3, :3]))) / 1000
