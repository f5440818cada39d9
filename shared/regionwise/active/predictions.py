"""Class probabilities of a trained bundle on scans without labels."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from ..bundle.recorded import build, open_config, read_network
from ..weights import load_weights


def open_bundle(model: str, checkpoint: str | None = None, network: str | None = None) -> ConfigParser:
    """Return the configuration of a bundle's inference.

    A bundle's configuration is code: open only those that you trust.

    Args:
        model: Folder of the bundle.
        checkpoint: Weights; by default ``models/model.pt`` in the bundle.
        network: A training's ``network.json``, where its network is not the bundle's.

    Raises:
        InputError: If there is no bundle, or the network is described wrongly.
    """
    settings = read_network(network) if network is not None else {}
    settings |= {"bundle_root": str(model), "device": "cpu"}
    settings["checkpoint"] = str(Path(model) / "models" / "model.pt") if checkpoint is None else checkpoint
    return open_config(model, "inference", settings)


def predict(parser: ConfigParser, scans: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield case name and class probabilities, float32 (K, *spatial) on the network's grid, scan by scan.

    Args:
        parser: From `open_bundle`.
        scans: Each with ``case_id`` and ``image``: a file, or one file per modality.

    Raises:
        InputError: If the weights do not fit the network.
    """
    preprocess, inferer, network = (build(parser, key, "the bundle") for key in ("preprocessing", "inferer", "network"))
    network = load_weights(network, parser["checkpoint"]).eval()
    for scan in scans:
        image = preprocess({"image": scan["image"]})["image"].as_subclass(torch.Tensor)
        with torch.no_grad():
            scores = inferer(image[None], network)
        yield scan["case_id"], scores[0].softmax(0).numpy()
