"""Runtime helpers called by packed configurations: check the bundled code, load the packed weights."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, is_tensor, nn

from ..errors import InputError
from ..weights import inference_weights, load_checkpoint, mismatch
from .setup import show_input_errors_in_one_line

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGE_SUFFIXES = {".py", ".j2", ".json"}  # what a wheel holds as well


def package_files(folder: Path = PACKAGE) -> dict[str, bytes]:
    """Return the files of a copy of this package: path below it to bytes."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix in PACKAGE_SUFFIXES and "__pycache__" not in file.parts
    }


def code_digest(files: Mapping[str, bytes]) -> str:
    """Return one SHA-256 for all files of the package, their paths included."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def require_own_code(bundle_root: str, digest: str) -> None:
    """Refuse to run a packed bundle with another bundle's, or another installed, version of this package.

    Python keeps one package called ``regionwise`` per process. A second bundle may use the first one's copy if that is
    the same code; a copy in the bundle's own folder may have been edited.

    Args:
        bundle_root: folder of the packed bundle.
        digest: `code_digest` of the package as it was packed.

    Raises:
        InputError: If the code that was imported is neither.
    """
    if (Path(bundle_root).resolve() / PACKAGE.name) == PACKAGE or code_digest(package_files()) == digest:
        return
    sys.excepthook = show_input_errors_in_one_line
    raise InputError(
        f"the bundle in {bundle_root} was packed with another version of regionwise than this process has imported "
        f"from {PACKAGE.parent}; run it in a process of its own, started in its own folder"
    )


def read_weights(path: str | Path) -> Mapping[str, Tensor]:
    """Read tensors by name, without running pickled code.

    Raises:
        InputError: If the file is missing, damaged, or holds anything else.
    """
    weights = load_checkpoint(path)
    if not isinstance(weights, Mapping) or not all(is_tensor(value) for value in weights.values()):
        raise InputError(f"{path} holds more than tensors by name")
    return weights


def start_from(network: nn.Module, weights: str | None) -> nn.Module:
    """Return the network with packed weights to train on; its deep-supervision heads, which they lack, stay new.

    Args:
        network: with or without deep supervision, also inside DistributedDataParallel.
        weights: file; None leaves the network as it is.

    Raises:
        InputError: If the file is damaged or of another network.
    """
    if weights is None:
        return network
    body = getattr(network, "module", network)
    found = read_weights(weights)
    problem = mismatch(inference_weights(body.state_dict()), found)
    if problem:
        raise InputError(f"{weights} does not fit the network: {problem}; --pretrained null trains from scratch")
    body.load_state_dict(found, strict=False)
    return network
