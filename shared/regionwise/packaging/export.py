"""Export a packed bundle's network to TorchScript and ONNX, compared with PyTorch."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser, ckpt_export
from torch import nn

from ..errors import InputError
from ..files import atomic_path, check_outputs, write_text
from ..options import as_flag
from ..weights import load_weights
from .archive import PackedBundle, read_bundle
from .checks import checked_folder, read_metadata
from .onnx_file import export_onnx, import_onnxruntime
from .packed_configs import json_bytes

# Largest difference to PyTorch, relative to the largest logit, that rounding explains.
TOLERANCE = 1e-4


def export(
    bundle: str, out: str, formats: str = "ts,onnx", execute: bool | str = False, overwrite: bool = False
) -> None:
    """Write model.ts, model.onnx and a README.md on pre- and postprocessing.

    Each file is loaded again and compared with PyTorch on a random batch; the largest absolute difference is printed.
    Both take float32 (batch, channels, *patch) named ``image`` and give logits named ``pred``; the patch is that of
    metadata.json, in ONNX any batch is possible.

    Args:
        bundle: packed bundle, zip or folder; see `regionwise.packaging.verify`.
        out: folder to write to.
        formats: ``ts``, ``onnx`` or both. ONNX needs the extra `onnx`.
        execute: true also exports a bundle with code that `verify` lists.
        overwrite: Replace files in ``out``.
    """
    wanted = formats if isinstance(formats, tuple | list) else str(formats).split(",")
    writers: dict[str, Callable] = {"ts": _write_torchscript, "onnx": _write_onnx}
    unknown = [one for one in wanted if one not in writers]
    if unknown or not wanted:
        raise InputError(f"expected --formats to name ts, onnx or both, found {formats!r}")
    folder_out = Path(out)
    check_outputs([folder_out / name for name in (*(f"model.{one}" for one in wanted), "README.md")], [], overwrite)
    packed = read_bundle(bundle)
    with checked_folder(packed, allow_code=as_flag(execute, "execute")) as folder:
        parser = ConfigParser()
        parser.read_config(str(folder / "configs" / "inference.json"))
        network = load_weights(parser.get_parsed_content("network_def"), folder / "models" / "model.pt").eval()
        image = read_metadata(packed)["network_data_format"]["inputs"]["image"]
        batch = torch.rand(
            2, image["num_channels"], *image["spatial_shape"], generator=torch.Generator().manual_seed(0)
        )
        differences = {one: writers[one](network, batch, folder, folder_out) for one in wanted}
    write_text(folder_out / "README.md", describe(packed, differences))
    print(f"before and after the network: {folder_out / 'README.md'}")


def _write_torchscript(network: nn.Module, batch: torch.Tensor, folder: Path, out: Path) -> float:
    configs = folder / "configs"
    with atomic_path(out / "model.ts") as temporary:
        ckpt_export(
            net_id="network_def",
            filepath=str(temporary),
            ckpt_file=str(folder / "models" / "model.pt"),
            meta_file=str(configs / "metadata.json"),
            config_file=str(configs / "inference.json"),
        )
        loaded = torch.jit.load(str(temporary), map_location="cpu").eval()
        with torch.no_grad():
            return _compare(out / "model.ts", network, batch, loaded(batch).numpy())


def _write_onnx(network: nn.Module, batch: torch.Tensor, _folder: Path, out: Path) -> float:
    onnxruntime = import_onnxruntime("ONNX", ", or --formats ts")
    with atomic_path(out / "model.onnx") as temporary:
        export_onnx(network, batch, temporary)
        session = onnxruntime.InferenceSession(temporary.read_bytes(), providers=["CPUExecutionProvider"])
        return _compare(out / "model.onnx", network, batch, session.run(["pred"], {"image": batch.numpy()})[0])


def _compare(file: Path, network: nn.Module, batch: torch.Tensor, found: np.ndarray) -> float:
    with torch.no_grad():
        expected = network(batch).numpy()
    difference = float(np.abs(found - expected).max())
    largest = float(np.abs(expected).max())
    if not difference <= TOLERANCE * largest:
        raise InputError(f"{file.name} differs from PyTorch by {difference:.3g} where logits reach {largest:.3g}")
    print(f"{file}: largest absolute difference to PyTorch {difference:.2e} (logits reach {largest:.2g})")
    return difference


def describe(packed: PackedBundle, differences: Mapping[str, float]) -> str:
    """Describe the pre- and postprocessing of the exported network, from the bundle's inference.json."""
    config = json.loads(packed.contents["configs/inference.json"])
    network = read_metadata(packed)["network_data_format"]
    image, logits = network["inputs"]["image"], network["outputs"]["pred"]
    steps = {key: config[key] for key in ("preprocessing", "inferers", "inferer", "postprocessing") if key in config}
    patch = ", ".join(str(size) for size in image["spatial_shape"])
    classes = ", ".join(f"{number} {name}" for number, name in logits.get("channel_def", {}).items())
    lines = "\n".join(
        f"- model.{one}: largest absolute difference to PyTorch {value:.2e}" for one, value in differences.items()
    )
    return f"""# {packed.name} {packed.version}: the network alone

{lines}

- Input `image`: float32 (batch, {image["num_channels"]}, {patch}), prepared as below.
- Output `pred`: float32 (batch, {logits["num_channels"]}, {patch}), logits.
- Labels are the channel with the largest logit: {classes}.

Whoever runs the network without MONAI repeats these steps of configs/inference.json, with MONAI's definitions:

1. preprocessing of the volume, in (channel, *spatial) order;
2. the network on overlapping patches (or slices) of it, weighted with a Gaussian where they overlap;
3. postprocessing: the inverse of the spatial steps of 1, then labels, with the affine of the scan.

```json
{json_bytes(_resolved(steps, config)).decode()}```
"""


def _resolved(value: Any, config: Mapping[str, Any]) -> Any:
    """Return a configuration with each plain reference to a plain value replaced by it."""
    if isinstance(value, dict):
        return {key: _resolved(part, config) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolved(part, config) for part in value]
    found = config.get(value[1:]) if isinstance(value, str) and value.startswith("@") else None
    return value if found is None or isinstance(found, dict | str) else found
