"""Class probabilities of a trained bundle on scans without labels."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from ..errors import InputError
from ..files import read_json
from ..weights import load_weights


def open_bundle(model: str, checkpoint: str | None = None, network: str | None = None) -> ConfigParser:
    """Return the configuration of a bundle's inference.

    A bundle's configuration is code: open only those that you trust.

    Args:
        model: Folder of the bundle.
        checkpoint: Weights; by default ``models/model.pt`` in the bundle.
        network: A training's ``network.json``, where its network is not the bundle's.

    Raises:
        InputError: If there is no bundle.
    """
    config = Path(model) / "configs" / "inference.json"
    if not config.is_file():
        raise InputError(f"expected a bundle in {model}, found no configs/inference.json")
    parser = ConfigParser()
    parser.read_config(str(config))
    settings: dict[str, Any] = dict(read_json(network)) if network is not None else {}
    settings |= {"bundle_root": str(model), "device": "cpu"}
    settings["checkpoint"] = str(Path(model) / "models" / "model.pt") if checkpoint is None else checkpoint
    parser.update(settings)
    return parser


def predict(parser: ConfigParser, scans: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield case name and class probabilities, float32 (K, *spatial) on the network's grid, scan by scan.

    Args:
        parser: From `open_bundle`.
        scans: Each with ``case_id`` and ``image``: a file, or one file per modality.

    Raises:
        InputError: If the weights do not fit the network.
    """
    preprocess, inferer = (parser.get_parsed_content(key) for key in ("preprocessing", "inferer"))
    network = load_weights(parser.get_parsed_content("network"), parser["checkpoint"]).eval()
    for scan in scans:
        image = preprocess({"image": scan["image"]})["image"].as_subclass(torch.Tensor)
        with torch.no_grad():
            scores = inferer(image[None], network)
        yield scan["case_id"], scores[0].softmax(0).numpy()
