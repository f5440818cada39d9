"""Checks of a packed bundle that run none of its code."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jsonschema
import monai
import numpy as np
import torch
from monai.utils import version_leq

from ..bundle.packed import code_digest, package_files, read_weights
from ..errors import InputError
from .archive import REQUIRED_FILES, PackedBundle, write_folder

SCHEMAS = Path(__file__).parent / "schema"
ZOO_FILE_LIMIT_MIB = 25


def check_layout(bundle: PackedBundle) -> str:
    """Check that the files the model zoo asks for are there, and that inference needs MONAI only."""
    for path in (*REQUIRED_FILES, "models/model.pt"):
        if path not in bundle.contents:
            raise InputError(f"the bundle has no {path}")
    if '"regionwise.' in bundle.contents["configs/inference.json"].decode("utf-8", "replace"):
        raise InputError("configs/inference.json names regionwise; inference must run with plain MONAI")
    large = [path for path, content in bundle.contents.items() if len(content) > ZOO_FILE_LIMIT_MIB * 2**20]
    note = f"; {', '.join(large)} above {ZOO_FILE_LIMIT_MIB} MiB: the model zoo wants large_files.yml" if large else ""
    return f"{len(bundle.contents)} files{note}"


def check_metadata(bundle: PackedBundle) -> str:
    """Check metadata.json: its schema, its name and version, and that the changelog knows the version."""
    metadata = read_metadata(bundle)
    address = str(metadata.get("schema"))
    schema = SCHEMAS / address.rpartition("/")[2]
    if not address.rpartition("/")[2] or not schema.is_file():
        known = ", ".join(sorted(file.name for file in SCHEMAS.glob("*.json")))
        raise InputError(
            f"metadata.json follows the schema {address}, known is {known}; a newer regionwise may know it"
        )
    try:
        jsonschema.validate(metadata, json.loads(schema.read_text(encoding="utf-8")))
    except jsonschema.ValidationError as error:
        where = "#".join(str(part) for part in error.absolute_path)
        raise InputError(f"metadata.json{' ' + where if where else ''}: {error.message[:200]}") from error
    if metadata["version"] != bundle.version:
        raise InputError(f"metadata.json says version {metadata['version']}, the checksums are of {bundle.version}")
    if metadata["version"] not in metadata.get("changelog", {}):
        raise InputError(f"metadata.json: the changelog says nothing of version {metadata['version']}")
    return f"{bundle.name} {bundle.version}, {schema.stem}"


def check_versions(bundle: PackedBundle) -> str:
    """Check that nothing installed is older than what the bundle was packed with."""
    metadata = read_metadata(bundle)
    installed = {"monai": monai.__version__, "torch": str(torch.__version__), "numpy": np.__version__}
    wanted = {"monai": "monai_version", "torch": "pytorch_version", "numpy": "numpy_version"}
    wanted = {package: str(metadata[key]) for package, key in wanted.items()}
    wanted |= {package: str(number) for package, number in metadata["required_packages_version"].items()}
    for package, number in wanted.items():
        try:
            found = (installed.get(package) or version(package)).split("+")[0]
        except PackageNotFoundError as error:
            raise InputError(f"the bundle needs {package} {number}, which is not installed") from error
        if not version_leq(number, found):
            raise InputError(
                f"the bundle was packed with {package} {number}, which is newer than the installed {found}"
            )
        installed[package] = found
    differ = [
        f"{package} {installed[package]} for {number}"
        for package, number in wanted.items()
        if installed[package] != number
    ]
    return f"newer than packed: {', '.join(differ)}" if differ else f"{len(wanted)} packages, all as packed"


def check_weights(bundle: PackedBundle, folder: Path) -> str:
    """Check that the weights are tensors by name, readable without running pickled code, and finite."""
    try:
        weights = read_weights(folder / "models" / "model.pt")
    except InputError as error:
        raise InputError(str(error).replace(f"{folder}/", "")) from error
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise InputError(f"models/model.pt: {broken[0]} is not finite")
    count = sum(value.numel() for value in weights.values())
    return f"{len(weights)} tensors, {count / 1e6:.2f} million values, no pickled code"


def describe_package(bundle: PackedBundle) -> str:
    """Say whether the bundle's copy of this package is the code that is running now."""
    files = {
        path.removeprefix("regionwise/"): content
        for path, content in bundle.contents.items()
        if path.startswith("regionwise/")
    }
    if not files:
        return "the bundle has no copy of regionwise; it cannot train"
    if code_digest(files) == code_digest(package_files()):
        return "its copy of regionwise is the code that checks it"
    return "its copy of regionwise is not the code that checks it; read it before you train with it"


def read_metadata(bundle: PackedBundle) -> dict[str, Any]:
    """Return the content of metadata.json."""
    try:
        return json.loads(bundle.contents["configs/metadata.json"])
    except ValueError as error:
        raise InputError(f"metadata.json is not JSON ({error})") from error


def static_checks(bundle: PackedBundle, folder: Path) -> dict[str, partial]:
    """Return name to check; each returns a line or raises `InputError`."""
    return {
        "layout": partial(check_layout, bundle),
        "metadata": partial(check_metadata, bundle),
        "versions": partial(check_versions, bundle),
        "weights": partial(check_weights, bundle, folder),
    }


@contextmanager
def checked_folder(bundle: PackedBundle) -> Iterator[Path]:
    """Give the folder of a bundle, named as it is, in a temporary folder, after all static checks.

    Raises:
        InputError: a check fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / bundle.name
        write_folder(bundle, folder)
        for check in static_checks(bundle, folder).values():
            check()
        yield folder
