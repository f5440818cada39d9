"""A trainer and an evaluator of a tiny network, to attach handlers to."""

from collections.abc import Sequence

import torch
from ignite.metrics import Metric
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from regionwise.data.sampler import StreamSampler
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Scripted(Metric):
    """A metric whose values are given beforehand, one for each validation."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values = iter(values)
        super().__init__()

    def reset(self) -> None:
        pass

    def update(self, output: object) -> None:
        pass

    def compute(self) -> float:
        return next(self.values)


class Numbers(Dataset):
    """Sample i is made from i alone."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        image = torch.randn(3, generator=torch.Generator().manual_seed(index))
        return {"image": image, "label": image.sum(0, keepdim=True) * 2}


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def make_evaluator(values: Sequence[float] = (0.5,) * 100) -> SupervisedEvaluator:
    """Return an evaluator whose key metric takes these values."""
    loader = [{"image": torch.zeros(1, 3), "label": torch.zeros(1, 1)}]
    return SupervisedEvaluator(
        torch.device("cpu"), loader, make_network(), key_val_metric={"val_mean_dice": Scripted(values)}
    )


def make_trainer(epochs: int, handlers: Sequence, network: nn.Module | None = None, **settings) -> SupervisedTrainer:
    """Return a trainer of epochs of two iterations."""
    network = make_network() if network is None else network
    arguments = {
        "device": torch.device("cpu"),
        "max_epochs": epochs,
        "epoch_length": 2,
        "train_data_loader": DataLoader(Numbers(), batch_size=2, sampler=StreamSampler()),
        "network": network,
        "optimizer": torch.optim.Adam(network.parameters(), 0.05),
        "loss_function": nn.MSELoss(),
        "train_handlers": list(handlers),
    }
    return SupervisedTrainer(**(arguments | settings))
