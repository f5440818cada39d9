"""The members of a prediction: networks, mirrored copies of the input, samples of dropout."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from ..errors import InputError
from ..inference.inferers import ProbabilityEnsemble, load_ensemble

Member = Callable[[torch.Tensor], torch.Tensor]


class Members(ProbabilityEnsemble):
    """An ensemble whose members can be asked one by one; together they give what `ProbabilityEnsemble` gives.

    Args:
        networks: At least one, see `ProbabilityEnsemble`.
        tta: Mirrored copies of the input as members (2^d per network).
        samples: Samples of dropout per network and copy; 0 leaves dropout off.

    Raises:
        InputError: If samples of dropout are wanted from a network without dropout.
    """

    def __init__(self, networks: Sequence[nn.Module], tta: bool = True, samples: int = 0) -> None:
        super().__init__(networks, tta)
        if samples < 0:
            raise InputError(f"expected --samples of at least 0, got {samples}")
        if samples and not all(_dropout_layers(network) for network in networks):
            raise InputError("the network has no dropout to sample from; pass --dropout, such as 0.1")
        self.samples = samples

    def members(self, spatial_dims: int) -> Iterator[Member]:
        """Yield functions from (B, C, *spatial) to probabilities, float32 (B, K, *spatial)."""
        axes = range(2, 2 + spatial_dims)
        flips = [flip for count in range(len(axes) + 1) for flip in combinations(axes, count)] if self.tta else [()]
        for flip in flips:
            for network in self.networks:
                for _ in range(max(self.samples, 1)):
                    yield self._member(network, flip)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the mean of the members."""
        return torch.stack([member(image) for member in self.members(image.ndim - 2)]).mean(0)

    def _member(self, network: nn.Module, flip: tuple[int, ...]) -> Member:
        def predict(image: torch.Tensor) -> torch.Tensor:
            # An evaluator puts all layers into evaluation mode, dropout as well.
            for layer in _dropout_layers(network):
                layer.train(self.samples > 0)
            probabilities = network(image.flip(flip) if flip else image).float().softmax(1)
            return probabilities.flip(flip) if flip else probabilities

        return predict


def load_members(
    network: nn.Module,
    checkpoints: str | Sequence[str],
    tta: bool | str = True,
    samples: int = 0,
    device: str | torch.device = "cpu",
) -> Members:
    """Load one copy of a network per checkpoint, see `regionwise.inference.load_ensemble`.

    Args:
        network: Network with the architecture of the members.
        checkpoints: One or more files.
        tta: See `Members`.
        samples: See `Members`.
        device: Device of the networks.
    """
    ensemble = load_ensemble(network, checkpoints, tta, device)
    return Members(list(ensemble.networks), ensemble.tta, samples).to(device)


def _dropout_layers(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, _DropoutNd)]
