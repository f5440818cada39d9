"""Export of a network to an ONNX file that names nothing of the machine it was made on."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import InputError


def import_onnxruntime(purpose: str, instead: str = "") -> Any:
    """Import ONNX Runtime, and see that what exports to ONNX is there too.

    Args:
        purpose: what needs them, the first word of the error.
        instead: what to do without them.

    Raises:
        InputError: If one of them is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401  torch.onnx.export needs it
    except ImportError as error:
        raise InputError(f"{purpose} needs {error.name}; pip install onnx onnxscript onnxruntime{instead}") from error
    return onnxruntime


def export_onnx(network: nn.Module, batch: torch.Tensor, path: Path) -> None:
    """Write a network with the input ``image`` and the output ``pred``, for batches of any size.

    Args:
        network: on the CPU, in evaluation mode.
        batch: float32 (B, channels, *spatial), B at least 2: the exporter takes a size of 1 for a constant.
        path: file to write.
    """
    import onnx

    torch.onnx.export(
        network,
        (batch,),
        path,
        dynamo=True,
        input_names=["image"],
        output_names=["pred"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )
    model = onnx.load(path)
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # the exporter notes the source files of this machine
    onnx.save(model, path)
