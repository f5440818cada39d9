"""Configurations as they are packed: with the network of the run, and independent of this repository."""

import json
from collections.abc import Mapping
from typing import Any

from monai.bundle import ConfigParser

from .archive import manifest_name

LINE_LENGTH = 120
NETWORK_IDS = ("filters", "kernel_size", "upsampling")
PRETRAINED = "$@bundle_root + '/models/model.pt'"


def packed_config(
    config: Mapping[str, Any], network: Mapping[str, Any], name: str, version: str, digest: str
) -> dict[str, Any]:
    """Return a configuration that runs from the packed bundle, wherever it is and from any working directory.

    - The ids of ``network.json`` get the run's values; ids of the network that nothing refers to any more go.
    - ``bundle_root`` is the folder on ``sys.path`` that holds this bundle's checksums: the runner puts it there before
      it evaluates ``run``. Before that (properties read from Python) it is the working directory, unless it is set.
    - ``initialize`` becomes the first step of ``run``: the runner evaluates it before the packed package can be found.
    - Training starts from the packed weights and writes to ``finetuned``. Its best weights become ``models/model.pt``,
      where the tools that load bundles look; the packed ones are kept beside them.

    Args:
        config: content of train.json, inference.json, evaluate.json, ...
        network: content of a run's ``network.json``.
        name: of the bundle.
        version: of the bundle.
        digest: `regionwise.bundle.packed.code_digest` of the packed package.
    """
    config = {key: network.get(key, value) for key, value in config.items()}
    text = json.dumps(config)
    config = {key: value for key, value in config.items() if key not in NETWORK_IDS or f'"@{key}"' in text}
    if "bundle_root" in config:
        marker = manifest_name(name, version)
        config["imports"] = [*config.get("imports", []), "$import os", "$import sys"]
        config["bundle_root"] = (
            f"$next((root for root in sys.path if os.path.isfile(os.path.join(root, '{marker}'))), '.')"
        )
    if "initialize" in config:
        own_code = {"_target_": "regionwise.bundle.packed.require_own_code", "bundle_root": "@bundle_root"}
        config["set_up"] = [own_code | {"digest": digest}, *config.pop("initialize")]
    if "set_up" in config and "run" in config:
        config["run"] = ["@set_up", *config["run"]]
    if "train" in config:
        config["pretrained"] = PRETRAINED
        for key in ("output_dir", "cache_dir"):
            config[key] = config[key].replace("'/models", "'/finetuned")
        folders = {"bundle_root": "@bundle_root", "output_dir": "@output_dir"}
        publish = {"_target_": "regionwise.bundle.packed.PublishWeights", **folders}
        config["train"] = {**config["train"], "handlers": [*config["train"]["handlers"], publish]}
    if "network" in config and ("train" in config or "DistributedDataParallel" in json.dumps(config["network"])):
        packed = {"_target_": "regionwise.bundle.packed.start_from", "network": config["network"]}
        config["network"] = packed | {"weights": "@pretrained"}
    ordered = {key: config.pop(key) for key in ("imports", "bundle_root") if key in config}
    return ordered | config


def training_network(network: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ids of a run's network as its training had them: with deep supervision.

    Args:
        network: content of the run's ``network.json``.
        run: content of its ``run.json``, {} if there is none: training then continues without deep supervision.
    """
    settings = {**run.get("settings", {}), **run}
    parser = ConfigParser({})
    for key, value in settings.items():
        if key.startswith("network_def#"):
            parser.set(value, key)
    definition = {"network_def": parser["network_def"]} if "network_def" in parser else {}
    return {**network, **{key: run[key] for key in NETWORK_IDS if key in run}, **definition}


def packed_metadata(
    metadata: Mapping[str, Any], network: Mapping[str, Any], versions: Mapping[str, str], scores: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata with exact versions, the scores, and the network's patch as its input and output.

    Args:
        metadata: content of metadata.json.
        network: content of a run's ``network.json``.
        versions: package to version; those of monai, torch and numpy have keys of their own.
        scores: structure to metric to mean.
    """
    own_keys = {"monai": "monai_version", "torch": "pytorch_version", "numpy": "numpy_version"}
    required = {package: version for package, version in versions.items() if package not in own_keys}
    result = {
        **metadata,
        **{key: versions[package] for package, key in own_keys.items()},
        "required_packages_version": {**metadata["required_packages_version"], **required},
        "eval_metrics": dict(scores),
    }
    if "patch_size" in network:
        result = json.loads(json.dumps(result))  # a copy to change in depth
        result["network_data_format"]["inputs"]["image"]["spatial_shape"] = list(network["patch_size"])
        result["network_data_format"]["outputs"]["pred"]["spatial_shape"] = list(network["patch_size"])
    return result


def json_bytes(content: Any) -> bytes:
    """Return content as JSON text in the bundles' style: whatever fits into a line stands on one."""
    return (_dump(content, 0) + "\n").encode()


def _dump(content: Any, depth: int, before: int = 0) -> str:
    """Return JSON text that starts ``before`` characters into a line that is indented ``depth`` times."""
    line = json.dumps(content, allow_nan=False)
    if (depth and 4 * depth + before + len(line) < LINE_LENGTH) or not isinstance(content, dict | list) or not content:
        return line
    inner, outer = " " * 4 * (depth + 1), " " * 4 * depth
    if isinstance(content, list):
        lines = [inner + _dump(value, depth + 1) for value in content]
        return "[\n" + ",\n".join(lines) + f"\n{outer}]"
    names = {key: f"{json.dumps(key)}: " for key in content}
    lines = [inner + name + _dump(content[key], depth + 1, len(name)) for key, name in names.items()]
    return "{\n" + ",\n".join(lines) + f"\n{outer}}}"
