"""MONAI's client for federated learning with its default arguments: only the data and the size of a round are given."""

import sys

import pytest
import torch
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, ModelType
from monai.fl.utils.exchange_object import ExchangeObject
from monai.networks.utils import get_state_dict
from monai.utils import set_determinism

from ..packaging.packing import write_source
from .running import training


@pytest.fixture
def _as_it_was(monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    set_determinism(None)


@pytest.mark.slow
@pytest.mark.usefixtures("_as_it_was")
@pytest.mark.filterwarnings("ignore:.*provision.*")  # MONAI's, that a server's configuration is code
def test_rounds_of_training_and_evaluation(phantoms, tmp_path):
    write_source(tmp_path, "acdc_rrw")
    given = training("acdc", dataset_dir=str(phantoms["acdc"]))
    algo = MonaiAlgo("acdc_rrw", train_kwargs=dict(given), eval_kwargs=dict(given))
    algo.initialize({ExtraItems.CLIENT_NAME: "one", ExtraItems.APP_ROOT: str(tmp_path)})
    shared = {name: value.clone() for name, value in get_state_dict(algo.trainer.network).items()}
    for _ in range(2):
        algo.train(ExchangeObject(weights=shared))
        sent = algo.get_weights()
        assert sent.statistics["num_executed_iterations"] == given["iterations_per_epoch"]
        shared = {name: shared[name] + sent.weights[name] for name in shared}
        found = algo.evaluate(ExchangeObject(weights=shared)).metrics
        assert 0 <= found["val_mean_dice"] <= 1
        for name, value in get_state_dict(algo.evaluator.network).items():
            assert torch.equal(value.cpu(), torch.as_tensor(shared[name])), name
    best = algo.get_weights({ExtraItems.MODEL_TYPE: ModelType.BEST_MODEL})
    assert best.weights.keys() == algo.evaluator.network.state_dict().keys()
    algo.finalize()
