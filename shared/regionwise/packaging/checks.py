"""Static checks of a packed bundle: none of its code is run."""

import io
import json
import re
import tempfile
import zipfile
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
from .code import find_code
from .json_files import read_json, walk
from .large_files import describe_large_files
from .names import VERSION, as_shown

SCHEMAS = Path(__file__).parent / "schema"
GUARD, GUARD_FILE = "regionwise.guard.segment_scans", "regionwise/guard.py"
PACKAGE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,80}[A-Za-z0-9])?")


def check_layout(bundle: PackedBundle) -> str:
    """Check that the files required by the model zoo exist, and that inference needs MONAI and the guard only."""
    for path in (*REQUIRED_FILES, "models/model.pt"):
        if path not in bundle.contents:
            raise InputError(f"the bundle has no {path}")
    inference = _read_object(bundle, "configs/inference.json")
    named = {value for _, value, _ in walk(inference) if isinstance(value, str) and "regionwise" in value}
    if named - {GUARD}:
        raise InputError(
            f"configs/inference.json names {as_shown(min(named - {GUARD}))}; inference must run with plain MONAI"
        )
    if named and GUARD_FILE not in bundle.contents:
        raise InputError(f"configs/inference.json names {GUARD}, but the bundle has no {GUARD_FILE}")
    large = describe_large_files(bundle.contents)
    return f"{len(bundle.contents)} files" + (f"; {large}" if large else "")


def check_metadata(bundle: PackedBundle) -> str:
    """Check metadata.json: its schema, its name and version, and that the changelog knows the version."""
    metadata = read_metadata(bundle)
    address = str(metadata.get("schema"))
    known = {file.name: file for file in sorted(SCHEMAS.glob("*.json"))}
    schema = known.get(address.rpartition("/")[2])
    if schema is None:
        raise InputError(
            f"metadata.json follows the schema {as_shown(address)}, known is {', '.join(known)}; "
            "a newer regionwise may know it"
        )
    try:
        jsonschema.validate(metadata, json.loads(schema.read_text(encoding="utf-8")))
    except jsonschema.ValidationError as error:
        where = as_shown("#".join(str(part) for part in error.absolute_path))
        raise InputError(f"metadata.json{' ' + where if where else ''}: {as_shown(error.message, 200)}") from error
    _check_version_texts(metadata)
    if metadata["version"] != bundle.version:
        raise InputError(f"metadata.json says version {metadata['version']}, the checksums are of {bundle.version}")
    if metadata["version"] not in metadata.get("changelog", {}):
        raise InputError(f"metadata.json: the changelog says nothing of version {metadata['version']}")
    return f"{bundle.name} {bundle.version}, {schema.stem}"


def _check_version_texts(metadata: dict[str, Any]) -> None:
    keys = ("version", "monai_version", "pytorch_version", "numpy_version")
    packages = metadata["required_packages_version"]
    wanted = {key: metadata[key] for key in keys}
    wanted |= {f"required_packages_version#{package}": number for package, number in packages.items()}
    for key, text in wanted.items():
        if not isinstance(text, str) or not VERSION.fullmatch(text):
            raise InputError(f"metadata.json {as_shown(key)}: expected a version such as 1.2.0, found {as_shown(text)}")
    for package in packages:
        if not PACKAGE_NAME.fullmatch(package):
            raise InputError(f"metadata.json: expected the name of a package, found '{as_shown(package)}'")


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
    """Check that the weights are tensors by name, readable without running pickled code, and finite.

    A few bytes can claim to be a tensor of any size, compressed or as a view that repeats one value; both are refused
    before they are spread out.
    """
    _check_weights_zip(bundle.contents["models/model.pt"])
    try:
        weights = read_weights(folder / "models" / "model.pt")
    except InputError as error:
        raise InputError(as_shown(str(error).replace(f"{folder}/", ""), 400)) from error
    for name, value in weights.items():
        dense = value.layout is torch.strided and not value.is_quantized and value.device.type == "cpu"
        if not dense or value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise InputError(f"models/model.pt: {as_shown(name)} is not an ordinary dense tensor")
        if not torch.isfinite(value).all():
            raise InputError(f"models/model.pt: {as_shown(name)} is not finite")
    count = sum(value.numel() for value in weights.values())
    return f"{len(weights)} tensors, {count / 1e6:.2f} million values, no pickled code"


def _check_weights_zip(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            unpacked = sum(member.file_size for member in file.infolist())
    except (zipfile.BadZipFile, UnicodeError, NotImplementedError, RuntimeError):
        return  # not what torch.save writes; torch.load says what is wrong
    if unpacked > len(content):
        raise InputError("models/model.pt is compressed; torch.save writes weights as they are")


def describe_package(bundle: PackedBundle) -> str:
    """Describe whether the bundle's copy of this package is the code that is running now."""
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
    return _read_object(bundle, "configs/metadata.json")


def _read_object(bundle: PackedBundle, path: str) -> dict[str, Any]:
    content = read_json(path, bundle.contents[path])
    if not isinstance(content, dict):
        raise InputError(f"expected an object in {path}, found {as_shown(json.dumps(content), 40)}")
    return content


def static_checks(bundle: PackedBundle, folder: Path) -> dict[str, partial]:
    """Return name to check; each returns a line or raises `InputError`."""
    return {
        "layout": partial(check_layout, bundle),
        "metadata": partial(check_metadata, bundle),
        "versions": partial(check_versions, bundle),
        "weights": partial(check_weights, bundle, folder),
    }


@contextmanager
def checked_folder(bundle: PackedBundle, allow_code: bool = False) -> Iterator[Path]:
    """Yield the folder of a bundle, named as it is, in a temporary folder, after all static checks.

    Args:
        bundle: the bundle.
        allow_code: True if its configuration may run, or is not run, whatever `find_code` lists.

    Raises:
        InputError: If a check fails, or code is listed.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / bundle.name
        write_folder(bundle, folder)
        for check in static_checks(bundle, folder).values():
            check()
        found = [] if allow_code else find_code(bundle)[1]
        if found:
            raise InputError(
                f"the bundle may run code of its own, first {found[0]} ({len(found)} in all; regionwise verify lists "
                "them); to run it all the same, --execute true"
            )
        yield folder
