"""Push and pull packed bundles: to a folder (a shared disk) or a repository of the Hugging Face Hub."""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cmp_to_key
from pathlib import Path
from types import ModuleType

from monai.bundle import push_to_hf_hub
from monai.utils import version_leq

from ..errors import InputError
from ..files import atomic_folder
from .archive import PackedBundle, read_bundle, write_folder
from .checks import checked_folder

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def push(bundle: str, to: str, private: bool = True) -> None:
    """Put a packed bundle into a folder or a repository of the Hugging Face Hub, after checking its files.

    A folder gets TO/NAME/VERSION. A repository gets the files and a tag VERSION, as `monai.bundle.download` with
    source "huggingface_hub" expects; log in first with `hf auth login`.

    Args:
        bundle: zip or folder.
        to: an existing folder, or OWNER/NAME of a repository, which is created if needed.
        private: whether a new repository is visible to its owner only.
    """
    packed = read_bundle(bundle)
    with checked_folder(packed, allow_code=True) as folder:  # nothing is run
        if Path(to).is_dir():
            _put(packed, Path(to) / packed.name / packed.version)
            return
        _require_repository(to)
        hub = _hub()
        with _hub_errors(hub, to):
            if _has_version(hub, to, packed.version):
                raise InputError(f"{to} has version {packed.version} already; raise it in metadata.json and pack again")
            address = push_to_hf_hub(to, packed.name, str(folder.parent), private=private, version=packed.version)
        print(f"{packed.name} {packed.version}: {address}")


def pull(source: str, out: str = ".", name: str | None = None, version: str | None = None) -> None:
    """Get a packed bundle as the folder OUT/NAME, its checksums compared before anything is written there.

    Args:
        source: a folder that `push` wrote to, or OWNER/NAME of a repository of the Hugging Face Hub.
        out: folder to put the bundle's folder in.
        name: name of the bundle, if the source folder holds several.
        version: by default the newest of a folder, or the main branch of a repository.
    """
    if Path(source).is_dir():
        packed = read_bundle(_choose(Path(source), name, version))
        _put(packed, Path(out) / packed.name)
        return
    _require_repository(source)
    hub = _hub()
    with tempfile.TemporaryDirectory() as temporary:
        with _hub_errors(hub, source):
            hub.snapshot_download(repo_id=source, revision=version, local_dir=temporary)
        packed = read_bundle(temporary)
        _put(packed, Path(out) / packed.name)


def _put(packed: PackedBundle, folder: Path) -> None:
    if folder.exists():
        if read_bundle(folder).contents != packed.contents:
            raise InputError(f"{folder} holds another version or content; choose another folder or raise the version")
        print(f"{folder} holds {packed.name} {packed.version} already")
        return
    with atomic_folder(folder) as temporary:
        write_folder(packed, temporary)
    print(f"{packed.name} {packed.version}: {folder}")


def _compare_versions(left: str, right: str) -> int:
    return -1 if version_leq(left, right) else 1


def _choose(source: Path, name: str | None, version: str | None) -> Path:
    """Return the folder of a bundle's version in a folder that `push` wrote to."""
    there = sorted({manifest.parents[1].name for manifest in source.glob("*/*/*.sha256")})
    if name is None and len(there) != 1:
        what = f"bundles {', '.join(there)}; choose one by --name" if there else "none"
        raise InputError(f"expected a pushed bundle in {source}, found {what}")
    name = str(name or there[0])
    versions = sorted(
        (manifest.parent.name for manifest in (source / name).glob("*/*.sha256")),
        key=cmp_to_key(_compare_versions),
    )
    if not versions or (version is not None and str(version) not in versions):
        asked = name if version is None else f"{name} {version}"
        raise InputError(
            f"{asked} not found in {source}; there are {', '.join(versions) or ', '.join(there) or 'none'}"
        )
    return source / name / (versions[-1] if version is None else str(version))


def _require_repository(text: str) -> None:
    if not REPOSITORY.fullmatch(str(text)):
        raise InputError(f"expected an existing folder or OWNER/NAME of a repository, found {text}")


def _hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise InputError("a repository needs huggingface_hub; pip install huggingface_hub") from error
    return huggingface_hub


@contextmanager
def _hub_errors(hub: ModuleType, repository: str) -> Iterator[None]:
    """Convert errors of the Hub and of the network to one line."""
    try:
        yield
    except (hub.errors.HfHubHTTPError, hub.errors.LocalTokenNotFoundError, OSError, *_http_errors()) as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise InputError(f"the Hub did not do this for {repository}: {lines[0][:200]}") from error


def _http_errors() -> tuple[type[Exception], ...]:
    """Return the errors that huggingface_hub 1 (httpx) and 2 (httpx2) pass on; earlier versions raise an OSError."""
    return tuple(sys.modules[name].HTTPError for name in ("httpx", "httpx2") if name in sys.modules)


def _has_version(hub: ModuleType, repository: str, version: str) -> bool:
    interface = hub.HfApi()
    if not interface.repo_exists(repository):
        return False
    return version in {tag.name for tag in interface.list_repo_refs(repository).tags}
