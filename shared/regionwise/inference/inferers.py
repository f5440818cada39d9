"""Inferers: ensembles, test-time augmentation by mirroring, and memory-efficient slice-wise inference."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import deepcopy
from itertools import combinations
from typing import Any

import torch
from monai.config import KeysCollection
from monai.inferers import Inferer, SlidingWindowInferer, sliding_window_inference
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type
from torch import nn

from ..errors import InputError, did_you_mean
from ..options import as_flag
from ..precision import Precision, PrecisionInferer
from ..weights import load_weights
from .decoding import dice_optimal_labels

DECODINGS = ("argmax", "dice")
# Mirrored copies of one window per forward pass, in float32 on a CPU: PyTorch leaves small layers of a batch of one to
# a convolution of its own that is slower than oneDNN's. Two copies at once take half the time, more of them longer.
COPIES = 2


class ProbabilityEnsemble(nn.Module):
    """Mean class probabilities over networks and mirrored copies of the input.

    p(x) = 1 / (M F) sum_m sum_f f^-1(softmax(net_m(f(x)))), f over all combinations of mirrored axes.

    Args:
        networks: at least one; each maps (B, C, *spatial) to logits (B, K, *spatial).
        tta: average over mirrored copies as well (2^d passes).
    """

    def __init__(self, networks: Sequence[nn.Module], tta: bool = True) -> None:
        super().__init__()
        if not networks:
            raise InputError("expected at least one network in an ensemble, found none")
        self.networks = nn.ModuleList(networks)
        self.tta = tta

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return probabilities, float32 (B, K, *spatial), that sum to 1 over K.

        Raises:
            InputError: If one is NaN: the arg max of these is a label map like any other.
        """
        axes = range(2, image.ndim)
        flips = [flip for count in range(len(axes) + 1) for flip in combinations(axes, count)] if self.tta else [()]
        in_float32 = image.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        at_once = COPIES if in_float32 and len(image) == 1 else 1
        total: Any = 0
        for first in range(0, len(flips), at_once):
            some = flips[first : first + at_once]
            seen = torch.cat([image.flip(flip) if flip else image for flip in some])
            for network in self.networks:
                copies = network(seen).float().softmax(1).chunk(len(some))
                for flip, probabilities in zip(some, copies, strict=True):
                    total = total + (probabilities.flip(flip) if flip else probabilities)
        if not torch.isfinite(total).all():
            raise InputError("expected finite scores of the network, found NaN or infinity; try --amp false")
        return total / (len(flips) * len(self.networks))


def load_ensemble(
    network: nn.Module, checkpoints: str | Sequence[str], tta: bool | str = True, device: str | torch.device = "cpu"
) -> ProbabilityEnsemble:
    """Load one copy of a network per checkpoint.

    Args:
        network: network with the architecture of the members; it is copied.
        checkpoints: one or more files.
        tta: test-time augmentation by mirroring, see `ProbabilityEnsemble`.
        device: device of the networks.

    Raises:
        InputError: If any member cannot be loaded: an ensemble without it would be a different model.
    """
    files = [checkpoints] if isinstance(checkpoints, str) else list(checkpoints)
    return ProbabilityEnsemble([load_weights(deepcopy(network), file) for file in files], as_flag(tta, "tta")).to(
        device
    )


class StreamingSliceInferer(Inferer):
    """Run a 2-D network over a volume a few slices at a time, keeping only the labels (or probabilities).

    Memory: the image, one byte per voxel for the labels, and K channels of ``slices`` slices; with ``probabilities``
    K channels of the volume. Equal to MONAI's `SliceInferer` followed by softmax and argmax.

    Args:
        roi_size: size of the window in the slice.
        spatial_dim: axis the slices are perpendicular to.
        overlap: overlap of neighboring windows, in [0, 1).
        slices: number of slices per forward pass.
        probabilities: return float32 probabilities (B, K, *spatial) instead of uint8 labels (B, 1, *spatial).
    """

    def __init__(
        self,
        roi_size: Sequence[int],
        spatial_dim: int = 0,
        overlap: float = 0.5,
        slices: int = 8,
        probabilities: bool = False,
    ) -> None:
        self.roi_size, self.spatial_dim, self.overlap = tuple(roi_size), spatial_dim, overlap
        self.slices, self.probabilities = slices, probabilities

    def __call__(self, inputs: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Segment (B, C, *spatial); ``network`` gives probabilities (or logits, if labels are wanted)."""
        batch, result = [], torch.empty(0)
        for image in inputs.as_subclass(torch.Tensor):
            planes = image.movedim(self.spatial_dim + 1, 0)
            for first in range(0, len(planes), self.slices):
                chunk = planes[first : first + self.slices]
                predicted: Any = sliding_window_inference(
                    chunk.contiguous(), self.roi_size, self.slices, network, self.overlap, "gaussian", *args, **kwargs
                )
                # max().indices is many times faster than argmax over a channel that is not innermost.
                kept = predicted if self.probabilities else predicted.max(1, keepdim=True).indices.to(torch.uint8)
                if first == 0:
                    result = torch.empty((len(planes), *kept.shape[1:]), dtype=kept.dtype, device=kept.device)
                result[first : first + self.slices] = kept
            batch.append(result.movedim(0, self.spatial_dim + 1))
        return _like(torch.stack(batch), inputs)


class VolumeInferer(SlidingWindowInferer):
    """MONAI's Gaussian sliding window in 3-D, returning labels or probabilities as `StreamingSliceInferer` does.

    Args:
        roi_size: size of the window.
        overlap: overlap of neighboring windows, in [0, 1).
        probabilities: return float32 probabilities instead of uint8 labels.
    """

    def __init__(self, roi_size: Sequence[int], overlap: float = 0.5, probabilities: bool = False) -> None:
        super().__init__(roi_size=tuple(roi_size), sw_batch_size=1, overlap=overlap, mode="gaussian")
        self.probabilities = probabilities

    def __call__(self, inputs: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Segment (B, C, *spatial); ``network`` gives probabilities (or logits, if labels are wanted)."""
        predicted: Any = super().__call__(inputs.as_subclass(torch.Tensor), network, *args, **kwargs)
        kept = predicted if self.probabilities else predicted.max(1, keepdim=True).indices.to(torch.uint8)
        return _like(kept, inputs)


def _like(result: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Give a result the metadata of the input: MONAI's `Invertd` passes over tensors without any, with a warning."""
    return convert_to_dst_type(result, inputs, dtype=result.dtype)[0]


def make_inferer(
    roi_size: Sequence[int],
    slice_axis: int = 2,
    probabilities: bool = True,
    overlap: float = 0.5,
    precision: Precision | None = None,
) -> Inferer:
    """Return the inferer that runs a 2-D or 3-D network over volumes.

    Args:
        roi_size: input size of the network: two numbers for slices, three for volumes, in the axis order of the volume.
        slice_axis: axis of the volume that slices are perpendicular to.
        probabilities: return probabilities instead of labels.
        overlap: overlap of neighboring windows, in [0, 1).
        precision: precision of the forward passes; None for that of the network.
    """
    inferer: Inferer
    if len(roi_size) == 2:
        inferer = StreamingSliceInferer(roi_size, slice_axis, overlap, probabilities=probabilities)
    else:
        inferer = VolumeInferer(roi_size, overlap, probabilities)
    return inferer if precision is None else PrecisionInferer(precision, inferer)


class ToLabelsd(MapTransform):
    """Turn class scores (C, *spatial) into labels (1, *spatial), uint8.

    Args:
        keys: the prediction.
        decoding: "argmax" takes the class of the highest score (the first of equal ones) and leaves labels as they are;
            "dice" takes the labels of the highest expected Dice, see `dice_optimal_labels`.

    Raises:
        InputError: If the decoding is unknown, or "dice" is given labels instead of probabilities.
    """

    def __init__(self, keys: KeysCollection, decoding: str = "argmax") -> None:
        super().__init__(keys)
        if decoding not in DECODINGS:
            raise InputError(f"Unknown --decoding '{decoding}'; {did_you_mean(decoding, DECODINGS)}")
        self.decoding = decoding

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        """Decode each prediction."""
        result = dict(data)
        for key in self.keys:
            scores = result[key]
            if self.decoding == "dice" and len(scores) == 1:
                raise InputError("--decoding dice needs probabilities, found labels; pass --probabilities true")
            if self.decoding == "dice":
                labels = convert_to_dst_type(dice_optimal_labels(scores.as_subclass(torch.Tensor))[None], scores)[0]
            else:
                labels = scores if len(scores) == 1 else scores.max(0, keepdim=True).indices
            result[key] = labels.to(torch.uint8)
        return result
