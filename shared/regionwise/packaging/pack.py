"""Pack a trained bundle into one file that runs with plain MONAI: ``python -m regionwise pack``."""

import csv
import hashlib
import io
import json
import re
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import jsonschema
import torch
from monai.bundle import ConfigParser

from ..bundle.packed import code_digest, package_files
from ..bundle.recorded import read_network
from ..calibration.record import FILE as CALIBRATION
from ..errors import InputError
from ..files import atomic_path, parse_json
from ..options import as_flag
from ..training.checkpoints import BEST
from ..weights import load_weights
from .archive import REQUIRED_FILES, PackedBundle, with_manifest, zip_bytes
from .calibration import calibration_section, find_calibration
from .code import is_known_target
from .json_files import walk
from .large_files import FILE as LARGE_FILES
from .large_files import find_large_files, large_files_json
from .model_card import evaluation_section, scores, usage_section
from .names import VERSION, as_shown
from .packed_configs import json_bytes, packed_config, packed_metadata, training_network
from .privacy import refuse_machine_paths, refuse_patient_data

OVERLAYS = ("spatial_2d.json", "spatial_3d.json")
# The parts of an evaluation's summary that the model card shows.
_STRUCTURES = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["n", "metrics"],
        "properties": {
            "metrics": {
                "type": "object",
                "additionalProperties": {"anyOf": [{"type": "null"}, {"type": "object", "required": ["mean", "std"]}]},
            }
        },
    },
}
SUMMARY = {
    "type": "object",
    "required": ["n_cases", "protocol", "empty_masks"],
    "anyOf": [
        {"required": ["structures"]},
        {"required": ["classes"]},
    ],  # an older version's numbers are under "classes"
    "properties": {
        "protocol": {"type": "object", "required": ["evaluated"]},
        "about": {"type": "object"},
        "structures": _STRUCTURES,
        "classes": _STRUCTURES,
    },
}
# What inference needs; the packed metadata pins them to the versions they were packed with.
INFERENCE_PACKAGES = ("monai", "torch", "numpy", "nibabel", "pytorch-ignite", "fire")


def pack(
    bundle: str,
    checkpoint: str,
    out: str = "dist",
    evaluation: str | None = None,
    force: bool = False,
    execute: bool | str = False,
    url: str | None = None,
) -> None:
    """Pack a bundle with trained weights as OUT/NAME_vVERSION.zip; the same input gives the same bytes.

    In it: configurations with the run's network written in, docs, license, models/model.pt (weights without the
    deep-supervision heads), the package for fine-tuning, metadata with exact versions, the evaluation in the model
    card, checksums. Refused: an evaluation that is missing, weights that do not fit, a path of this machine or
    patient data in any file, a version that is already in OUT with other content.

    Args:
        bundle: folder of the bundle, such as bundles/acdc_rrw.
        checkpoint: output_dir of the training (its model.pt is taken), or a file in it; network.json is beside it.
        out: folder for the zip.
        evaluation: output_dir of the evaluation of these weights; without it, `eval` in the training's output_dir.
        force: pack without an evaluation.
        execute: true also builds a network that is not in `regionwise.packaging.allowed`.
        url: address of the folder that will hold the files above 25 MiB, https://...; where there are such files,
            large_files.json names it to the model zoo and to ``monai.bundle download_large_files``.
    """
    folder = Path(bundle)
    metadata = _read_metadata(folder)
    name, number = folder.resolve().name, metadata["version"]
    weights_file, network, record = _find_run(Path(checkpoint), as_flag(execute, "execute"))
    summary, cases = _read_evaluation(_find_evaluation(weights_file.parent, evaluation, force))
    _check_evaluated(summary, weights_file)
    code = package_files()
    contents = _sources(folder)
    for path in [path for path in contents if path.startswith("configs/") and path.endswith(".json")]:
        used = training_network(network, record) if path == "configs/train.json" else network
        config = packed_config(_json(folder / path), used, name, number, code_digest(code))
        contents[path] = json_bytes(config)
    contents["models/model.pt"] = _weights(contents["configs/inference.json"], weights_file)
    versions = {package: _public_version(package) for package in INFERENCE_PACKAGES}
    contents["configs/metadata.json"] = json_bytes(
        packed_metadata(metadata, network, versions | _training_versions(), scores(summary) if summary else {})
    )
    calibration = find_calibration(weights_file)
    if calibration is not None:
        contents[f"configs/{CALIBRATION}"] = json_bytes(calibration)
    sections = (
        (folder / "docs" / "README.md").read_text(encoding="utf-8").rstrip() + "\n",
        evaluation_section(summary, record),
        *([] if calibration is None else [calibration_section(calibration, name)]),
        usage_section(name, number, _training_packages(), versions),
    )
    contents["docs/README.md"] = "\n".join(sections).encode()
    contents |= {f"regionwise/{path}": content for path, content in code.items()}
    if url is not None:
        named = large_files_json(contents, url)
        contents |= {LARGE_FILES: named} if find_large_files(contents) else {}
    refuse_patient_data(contents, cases)
    refuse_machine_paths(contents, own=(folder.parent, weights_file.parent, Path(out)))
    content = zip_bytes(PackedBundle(name, number, with_manifest(name, number, contents)))
    _write(Path(out) / f"{name}_v{number}.zip", content)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"expected an object in {path}, found {as_shown(json.dumps(content), 40)}")
    return content


def _read_metadata(folder: Path) -> dict[str, Any]:
    for path in REQUIRED_FILES:
        if not (folder / path).is_file():
            raise InputError(f"expected a bundle in {folder}, found no {path}")
    metadata = _json(folder / "configs" / "metadata.json")
    number, changelog = metadata.get("version"), metadata.get("changelog")
    if not isinstance(number, str) or not VERSION.fullmatch(number):
        raise InputError(f"{folder}/configs/metadata.json: expected a version such as 1.2.0, found {number!r}")
    if not isinstance(changelog, dict) or number not in changelog:
        raise InputError(f"{folder}/configs/metadata.json: the changelog says nothing of version {number}")
    return metadata


def _sources(folder: Path) -> dict[str, bytes]:
    """Return the files of the repository's bundle that are packed: configs, docs, license."""
    files = [folder / "LICENSE", *sorted((folder / "configs").rglob("*")), *sorted((folder / "docs").rglob("*"))]
    # The weights are of one network: the overlay of the other number of axes stays behind.
    files = [file for file in files if file.is_file() and file.name not in OVERLAYS]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def _find_run(checkpoint: Path, execute: bool) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Return a run's weights file and the content of its network.json and (where there is one) run.json."""
    file = checkpoint / BEST if checkpoint.is_dir() else checkpoint
    if not file.is_file():
        raise InputError(f"expected a checkpoint at {file}, not found; train first")
    path = file.parent / "network.json"
    if not path.is_file():
        raise InputError(
            f"expected network.json beside {file}; the training writes it, and it says which network this is"
        )
    network, record = read_network(path), file.parent / "run.json"
    _check_targets(path, network, execute)
    return file, network, _json(record) if record.is_file() else {}


def _check_targets(path: Path, network: dict[str, Any], execute: bool) -> None:
    """Refuse a network.json of components that are not known: packing builds the network."""
    for keys, value, _ in walk(network):
        text = f"{as_shown('#'.join(keys))}: {as_shown(value)}"
        if keys and keys[-1] == "_target_" and not is_known_target(value) and not execute:
            raise InputError(
                f"{path} names {text}, which is not on the list of known components; if you trust it, --execute true"
            )


def _find_evaluation(run: Path, evaluation: str | None, force: bool) -> Path | None:
    folder = Path(evaluation) if evaluation is not None else run / "eval"
    if (folder / "summary.json").is_file():
        return folder
    if force and evaluation is None:
        return None
    raise InputError(
        f"expected the evaluation of these weights in {folder}, found no summary.json; run evaluate.json, "
        "pass --evaluation DIR, or pack without it by --force"
    )


def _read_evaluation(folder: Path | None) -> tuple[dict[str, Any] | None, set[str]]:
    if folder is None:
        return None, set()
    summary = _json(folder / "summary.json")
    try:
        jsonschema.validate(summary, SUMMARY)
    except jsonschema.ValidationError as error:
        raise InputError(
            f"expected the summary of an evaluation in {folder / 'summary.json'}: {as_shown(error.message)}"
        ) from error
    table = folder / "cases.csv"
    rows = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))) if table.is_file() else []
    return summary, {row["case"] for row in rows if "case" in row}


def _check_evaluated(summary: dict[str, Any] | None, weights_file: Path) -> None:
    """Refuse an evaluation recorded for other weights; one from another tool records none."""
    evaluated = (summary or {}).get("about", {}).get("weights_sha256")
    if evaluated is not None and evaluated != sha256(weights_file.read_bytes()).hexdigest():
        raise InputError(
            f"the evaluation is of other weights than {weights_file}; evaluate these, or name the right --evaluation"
        )


def _weights(inference_config: bytes, file: Path) -> bytes:
    """Return the weights as a file of tensors, after loading them strictly into the packed network."""
    parser = ConfigParser(json.loads(inference_config))
    try:
        network = load_weights(parser.get_parsed_content("network_def"), file)
    except (InputError, OSError, RuntimeError) as error:
        reason = error if isinstance(error, InputError) else f"{file} is damaged ({error})"
        if isinstance(error, RuntimeError):  # MONAI's, of anything that a component raises
            reason = f"{file.parent / 'network.json'} describes no network ({error.__cause__ or error})"
        raise InputError(f"cannot pack these weights: {reason}") from error
    weights = {name: value.detach().clone().contiguous() for name, value in network.state_dict().items()}
    stream = io.BytesIO()  # into a file, torch.save would write that file's name
    torch.save(weights, stream)
    return stream.getvalue()


def _public_version(package: str) -> str:
    """Return the installed version without the local part (``2.13.0+cpu``), which pip would not find."""
    return version(package).split("+")[0]


def _training_packages() -> list[str]:
    try:
        lines = requires("regionwise") or []
    except PackageNotFoundError as error:
        raise InputError("regionwise is not installed; pip install -e shared") from error
    ours = [line for line in lines if "extra ==" not in line]
    return [line for line in ours if not line.startswith(INFERENCE_PACKAGES)]


def _training_versions() -> dict[str, str]:
    """Return what training and evaluation need; the model zoo installs for its tests what the metadata names."""
    names = [re.findall(r"^[\w.-]+", line)[0] for line in _training_packages()]
    return {name: _public_version(name) for name in names}


def _write(path: Path, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if path.is_file() and path.read_bytes() != content:
        raise InputError(
            f"{path} exists with other content; raise the version in metadata.json and say in its changelog what is new"
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    print(f"{path}: {len(content) / 2**20:.1f} MiB, SHA-256 {digest}")
