"""Runtime helpers called by packed configurations: check the bundled code, load the packed weights."""

import hashlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from ignite.engine import Engine, Events
from torch import Tensor, is_tensor, nn

from ..distributed import is_main_process
from ..errors import InputError
from ..files import atomic_path
from ..weights import inference_weights, load_checkpoint, mismatch
from .setup import show_input_errors_in_one_line

BEST = "model.pt"
PACKED = "model_packed.pt"
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
    """Refuse to run a packed bundle with another version of this package than its own.

    A process imports ``regionwise`` once. A second bundle may use the copy of the first if the code is
    the same; a copy in the bundle's own folder may have been edited.

    Args:
        bundle_root: folder of the packed bundle.
        digest: `code_digest` of the package as it was packed.

    Raises:
        InputError: If the imported code is neither.
    """
    if (Path(bundle_root).resolve() / PACKAGE.name) == PACKAGE or code_digest(package_files()) == digest:
        return
    sys.excepthook = show_input_errors_in_one_line
    raise InputError(
        f"the bundle in {bundle_root} was packed with another version of regionwise than this process has imported "
        f"from {PACKAGE.parent}; run it in a process of its own, started in its own folder"
    )


def read_weights(path: str | Path) -> Mapping[str, Tensor]:
    """Read a file of named tensors without running pickled code.

    Raises:
        InputError: If the file is missing, damaged, or holds anything else.
    """
    weights = load_checkpoint(path)
    if not isinstance(weights, Mapping) or not all(is_tensor(value) for value in weights.values()):
        raise InputError(f"{path} holds more than tensors by name")
    return weights


class PublishWeights:
    """Handler that publishes fine-tuned weights as ``models/model.pt``, where tools that load bundles expect them.

    The packed weights stay beside them as ``models/model_packed.pt``. A run that writes its results outside the
    bundle's folder leaves the bundle as it is.

    Args:
        bundle_root: folder of the packed bundle.
        output_dir: that of the training; its ``model.pt`` is copied when the training ends.
    """

    def __init__(self, bundle_root: str, output_dir: str) -> None:
        self.models = Path(bundle_root).resolve() / "models"
        self.source = Path(output_dir).resolve() / BEST
        self.is_inside = self.source.is_relative_to(self.models.parent)

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.COMPLETED, self.publish)

    def publish(self, engine: Engine) -> None:
        """Copy the weights; the packed ones are copied aside before, once."""
        if not (self.is_inside and is_main_process() and self.source.is_file()):
            return
        for source, target in ((self.models / BEST, self.models / PACKED), (self.source, self.models / BEST)):
            if source.is_file() and not (target.name == PACKED and target.exists()):
                with atomic_path(target) as temporary:
                    shutil.copyfile(source, temporary)


def start_from(network: nn.Module, weights: str | None) -> nn.Module:
    """Return the network initialized with packed weights; deep-supervision heads, which they lack, stay random.

    Args:
        network: with or without deep supervision, also inside DistributedDataParallel.
        weights: file of the weights; None leaves the network unchanged.

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
