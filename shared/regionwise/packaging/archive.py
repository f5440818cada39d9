"""Packed bundles as files: a manifest of checksums, a zip whose bytes repeat, and reading both safely."""

import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import InputError

# What the model zoo asks of every bundle.
REQUIRED_FILES = ("LICENSE", "configs/metadata.json", "configs/inference.json", "docs/README.md")

# More than any bundle holds; a zip that claims more would fill the memory before its checksums could be looked at.
LARGEST_BYTES = 8 * 2**30
MANIFEST = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_]*)_v(?P<version>[0-9A-Za-z.+-]+)\.sha256")
MANIFEST_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<path>\S.*)")


@dataclass(frozen=True)
class PackedBundle:
    """A packed bundle in memory, its checksums compared.

    Args:
        name: of the bundle and its folder, such as ``acdc_rrw``.
        version: of the bundle.
        contents: path inside the bundle (with ``/``) to bytes; the manifest is one of them.
        unlisted: files of a bundle's folder that the manifest does not name: results, caches. They are not read.
    """

    name: str
    version: str
    contents: Mapping[str, bytes]
    unlisted: tuple[str, ...] = ()


def manifest_name(name: str, version: str) -> str:
    """Return the name of the file that holds a bundle's checksums; it is unique to name and version."""
    return f"{name}_v{version}.sha256"


def with_manifest(name: str, version: str, contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return ``contents`` and its manifest: SHA-256 and path a line, as ``sha256sum -c`` reads it."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(contents.items())]
    return {**contents, manifest_name(name, version): "".join(lines).encode()}


def zip_bytes(bundle: PackedBundle) -> bytes:
    """Return a bundle as a zip whose bytes depend on names and contents only.

    Sorted, dated 1980, not compressed (compressed bytes differ between versions of zlib, and weights hardly shrink).
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:
        for path, content in sorted(bundle.contents.items()):
            member = zipfile.ZipInfo(f"{bundle.name}/{path}", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the same on Windows
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            file.writestr(member, content)
    return stream.getvalue()


def write_folder(bundle: PackedBundle, folder: Path) -> None:
    """Write the files of a bundle below ``folder``; their paths were checked when it was read."""
    for path, content in bundle.contents.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def read_bundle(path: str | Path) -> PackedBundle:
    """Read a packed bundle, a zip or the folder it was unpacked to, and compare its checksums; nothing is written.

    Of a folder only the files that the manifest names are read.

    Args:
        path: zip file or folder.

    Raises:
        InputError: no such file; no zip; a member leads outside the bundle, is a link, or there twice; no manifest; a
            file is missing, changed, or (in a zip) not named by the manifest.
    """
    path = Path(path)
    if path.is_dir():
        name, version, digests, contents, unlisted = _read_folder(path)
    elif path.is_file():
        name, version, digests, contents = _read_zip(path)
        unlisted = ()
        extra = sorted(set(contents) - set(digests) - {manifest_name(name, version)})
        if extra:
            raise InputError(f"{path} holds {extra[0]}, which its checksums do not name; do not use it")
    else:
        raise InputError(f"expected a packed bundle (a zip or its folder) at {path}, found none")
    for member, digest in digests.items():
        if member not in contents:
            raise InputError(f"{path} has no {member}, which its checksums name; unpack or download it again")
        found = hashlib.sha256(contents[member]).hexdigest()
        if found != digest:
            raise InputError(
                f"{member} in {path} was changed: its SHA-256 should start with {digest[:12]}, found {found[:12]}"
            )
    return PackedBundle(name, version, contents, unlisted)


def _read_zip(path: Path) -> tuple[str, str, dict[str, str], dict[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as file:
            members = [member for member in file.infolist() if not member.is_dir()]
            roots = {_safe_parts(path, member)[0] for member in file.infolist()}
            names = [member.filename for member in members]
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise InputError(f"{path} holds {twice} twice; do not use it")
            if len(roots) != 1 or any("/" not in name for name in names):
                raise InputError(f"expected one folder at the top of {path}, found {', '.join(sorted(roots)[:5])}")
            if sum(member.file_size for member in members) > LARGEST_BYTES:
                raise InputError(f"{path} unpacks to more than {LARGEST_BYTES // 2**30} GiB; do not use it")
            contents = {member.filename.split("/", 1)[1]: file.read(member) for member in members}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a whole zip file ({error}); download or pack it again") from error
    name, version, digests = _manifest(path, contents)
    if roots != {name}:
        raise InputError(f"expected the folder {name} at the top of {path}, found {roots.pop()}")
    return name, version, digests, contents


def _safe_parts(path: Path, member: zipfile.ZipInfo) -> tuple[str, ...]:
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(f"{path} holds {member.filename}, a link or device; do not use it")
    # orig_filename: ZipInfo itself cuts the name at a zero byte and turns Windows separators.
    return _relative_parts(path, member.orig_filename)


def _relative_parts(path: Path, name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    wrong = not parts or name.startswith("/") or ".." in parts or any(c in name for c in "\\:\0\n")
    if wrong or parts != tuple(part for part in name.split("/") if part not in ("", ".")):
        raise InputError(f"{path} names {name!r}, which may lead outside the bundle; do not use it")
    return parts


def _manifest(path: Path, contents: Mapping[str, bytes]) -> tuple[str, str, dict[str, str]]:
    found = [match for file in contents if (match := MANIFEST.fullmatch(file))]
    if len(found) != 1:
        what = "none" if not found else ", ".join(sorted(match.string for match in found))
        raise InputError(f"expected one NAME_vVERSION.sha256 in {path}, found {what}; pack the bundle first")
    digests = {}
    for line in contents[found[0].string].decode("utf-8", "replace").splitlines():
        match = MANIFEST_LINE.fullmatch(line)
        if match is None:
            raise InputError(f"expected 'SHA-256  path' in {found[0].string} of {path}, found {line[:80]!r}")
        _relative_parts(path, match["path"])
        digests[match["path"]] = match["digest"]
    return found[0]["name"], found[0]["version"], digests


def _read_folder(path: Path) -> tuple[str, str, dict[str, str], dict[str, bytes], tuple[str, ...]]:
    manifests = {file.name: file.read_bytes() for file in path.glob("*.sha256") if not file.is_symlink()}
    name, version, digests = _manifest(path, manifests)
    contents = {manifest_name(name, version): manifests[manifest_name(name, version)]}
    for member in digests:
        file = path / member
        if file.is_symlink() or not file.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{file} is a link; a packed bundle holds none")
        if file.is_file():
            contents[member] = file.read_bytes()
    there = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    return name, version, digests, contents, tuple(sorted(there - set(contents)))
