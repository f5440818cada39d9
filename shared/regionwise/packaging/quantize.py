"""An int8 copy of a bundle's network, offered only if it is as good and clearly faster: ``regionwise quantize``."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from torch import nn

from ..bundle.recorded import build, open_config, read_network
from ..errors import InputError
from ..files import atomic_path, check_outputs, find_write_problem, write_json
from ..metrics.overlap import counts, dice
from ..weights import load_weights
from .onnx_file import export_onnx, import_onnxruntime

MODEL, RESULT = "model_int8.onnx", "model_int8.json"
MEAN_LOSS, WORST_LOSS, SPEEDUP = 0.002, 0.01, 1.5
QUANTIZED = ("Conv",)
"""Operations that run in int8. Norms stay in float32, where int8 costs accuracy, and so does the rest around them."""

Batches = list[np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """Comparison of an int8 network with its float32 original.

    Attributes:
        cases: Number of cases measured.
        mean_loss: Mean over cases of the Dice lost, each case the mean over structures.
        worst_loss: Largest Dice lost in a case.
        speedup: Time of the float32 network divided by that of the int8 network, both in ONNX Runtime.
    """

    cases: int
    mean_loss: float
    worst_loss: float
    speedup: float

    @property
    def is_offered(self) -> bool:
        """Return whether the int8 network is as good and clearly faster."""
        return self.mean_loss <= MEAN_LOSS and self.worst_loss <= WORST_LOSS and self.speedup >= SPEEDUP

    def __str__(self) -> str:
        return (
            f"mean Dice loss {self.mean_loss:.4f} (at most {MEAN_LOSS}), worst case {self.worst_loss:.4f} (at most "
            f"{WORST_LOSS}), {self.speedup:.2f} times as fast (at least {SPEEDUP}) on {self.cases} cases"
        )


def quantize(
    model: str,
    dir: str,
    out: str,
    checkpoint: str | None = None,
    network: str | None = None,
    fold: int = 0,
    folds: int = 5,
    calibration: int = 32,
    cases: int | None = None,
    threads: int = 1,
    overwrite: bool = False,
) -> None:
    """Write model_int8.onnx if it loses almost no Dice and is 1.5 times as fast; else say by how much it fails.

    Static quantization of the convolutions (ONNX Runtime, QDQ, per channel), norms in float32, calibrated on training
    cases and measured on validation cases against float32 in the same runtime. Needs the extra `onnx`.

    Args:
        model: folder of a trained bundle; its configuration is run.
        dir: the labeled dataset.
        out: folder to write to.
        checkpoint: weights; by default models/model.pt in the bundle.
        network: network.json of the training, where its network is not the bundle's.
        fold: fold that was held out in training, to measure on.
        folds: number of folds.
        calibration: number of patches to calibrate on.
        cases: number of validation cases to measure; by default all.
        threads: of the runtime.
        overwrite: Replace files in ``out``.

    Raises:
        InputError: If the int8 network is not offered, or the bundle, its weights or the data do not fit.
    """
    for name, value in (("calibration", calibration), ("threads", threads), ("cases", 1 if cases is None else cases)):
        if value < 1:
            raise InputError(f"expected --{name} to be an integer >= 1, found {value}")
    outputs = [Path(out) / name for name in (MODEL, RESULT)]
    problem = find_write_problem(Path(out), "--out")
    if problem:
        raise InputError(problem)
    check_outputs(outputs, [], overwrite)
    runtime = import_onnxruntime("int8")
    inference, training = _parsers(Path(model), dir, fold, folds, checkpoint, network)
    net = load_weights(build(inference, "network_def", model), inference["checkpoint"]).eval()
    inferer = build(inference, "inferer", model)
    preprocess = build(training, "train#preprocessing", model)
    datalist = build(training, "train#datalist", model)
    held_out = datalist(section="val")[:cases]
    learned = (preprocess(dict(case)) for case in datalist(section="train"))
    batches = calibration_batches(learned, inferer, net, calibration)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export_onnx(net, torch.from_numpy(np.concatenate([batches[0], batches[0]])), folder / "float32.onnx")
        _quantize(folder / "float32.onnx", folder / "int8.onnx", batches)
        sessions = [_open(runtime, folder / f"{name}.onnx", threads) for name in ("float32", "int8")]
        found = compare(sessions, (preprocess(dict(case)) for case in held_out), inferer)
        if not found.is_offered:
            raise InputError(f"int8 is not offered: {found}")
        with atomic_path(outputs[0]) as path:
            path.write_bytes((folder / "int8.onnx").read_bytes())
    write_json(outputs[1], asdict(found))
    print(f"{outputs[0]}: {found}")


def compare(networks: Sequence[Callable], cases: Iterator[Mapping[str, Any]], inferer: Callable) -> Comparison:
    """Segment cases with two networks in turn and compare Dice and time.

    Args:
        networks: The original and the one to compare; each maps float32 (B, C, *patch) to logits.
        cases: Preprocessed, with ``image`` (C, *spatial) and ``label`` (1, *spatial).
        inferer: Runs a network over a volume.

    Raises:
        InputError: If there is no case.
    """
    losses, seconds = [], np.zeros(2)
    for case in cases:
        image, reference = (torch.as_tensor(case[key]).as_subclass(torch.Tensor) for key in ("image", "label"))
        scores = []
        for index, network in enumerate(networks):
            timed = _Timed(network)
            logits = inferer(image[None].float(), timed)[0]
            seconds[index] += timed.seconds
            scores.append(_dice(logits.argmax(0).numpy(), reference[0].numpy(), len(logits)))
        losses.append(scores[0] - scores[1])
    if not losses:
        raise InputError("expected cases to measure int8 on, found none")
    return Comparison(len(losses), float(np.mean(losses)), float(np.max(losses)), float(seconds[0] / seconds[1]))


def calibration_batches(
    cases: Iterator[Mapping[str, Any]], inferer: Callable, network: nn.Module, count: int
) -> Batches:
    """Return patches as the network meets them in inference, from as many cases as it takes.

    Raises:
        InputError: If there are none.
    """
    seen: Batches = []

    def record(patch: torch.Tensor) -> torch.Tensor:
        seen.append(patch.numpy())
        with torch.no_grad():
            return network(patch)

    for case in cases:
        inferer(torch.as_tensor(case["image"]).as_subclass(torch.Tensor)[None].float(), record)
        if sum(map(len, seen)) >= count:
            break
    if not seen:
        raise InputError("expected cases to calibrate int8 on, found none")
    return seen


class _Timed:
    def __init__(self, network: Callable) -> None:
        self.network, self.seconds = network, 0.0

    def __call__(self, patch: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        result = self.network(patch)
        self.seconds += time.perf_counter() - start
        return result


class _Reader:
    """Calibration data as ONNX Runtime asks for them."""

    def __init__(self, batches: Batches) -> None:
        self.rest = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(({"image": batch} for batch in self.rest), None)


def _dice(prediction: np.ndarray, reference: np.ndarray, classes: int) -> float:
    return float(np.mean([dice(counts(prediction == label, reference == label)) for label in range(1, classes)]))


def _parsers(
    model: Path, dir: str, fold: int, folds: int, checkpoint: str | None, network: str | None
) -> tuple[ConfigParser, ConfigParser]:
    recorded = {} if network is None else read_network(network)
    weights = str(model / "models" / "model.pt") if checkpoint is None else checkpoint
    root = {"bundle_root": str(model), "device": "cpu", "checkpoint": weights}
    inference = open_config(model, "inference", recorded | root)
    data = {"dataset_dir": dir, "split": "kfold", "fold": fold, "folds": folds}
    training = open_config(model, "train", recorded | data)
    return inference, training


def _quantize(source: Path, target: Path, batches: Batches) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    quantize_static(
        source,
        target,
        _Reader(batches),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(QUANTIZED),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def _open(runtime: Any, path: Path, threads: int) -> Callable:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return lambda patch: torch.from_numpy(session.run(["pred"], {"image": patch.numpy()})[0])
