"""Packed bundles as files: a manifest of checksums and a byte-reproducible zip, written and read safely."""

import hashlib
import io
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import InputError
from .names import MANIFEST, MANIFEST_LINE, as_shown, check_member_names

# What the model zoo asks of every bundle.
REQUIRED_FILES = ("LICENSE", "configs/metadata.json", "configs/inference.json", "docs/README.md")

# Limits of what is read at all. The contents of a bundle stay in memory, and weights hardly shrink in a zip.
LARGEST_BYTES = 2 * 2**30
LARGEST_RATIO = 100
MOST_FILES = 10_000
PIECE_BYTES = 2**20
RATIO_FLOOR_BYTES = 2**20  # a small text may shrink by any factor
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class PackedBundle:
    """A packed bundle in memory, its checksums compared.

    Args:
        name: of the bundle and its folder, such as ``acdc_rrw``.
        version: of the bundle.
        contents: path inside the bundle (with ``/``) to bytes; the manifest is one of them.
        unlisted: files in a bundle's folder that the manifest does not name (results, caches, or what someone put
            there); their content is not read.
    """

    name: str
    version: str
    contents: Mapping[str, bytes]
    unlisted: tuple[str, ...] = ()


def manifest_name(name: str, version: str) -> str:
    """Return the name of the file that holds a bundle's checksums; it is unique to name and version."""
    return f"{name}_v{version}.sha256"


def with_manifest(name: str, version: str, contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return ``contents`` and its manifest: one line of SHA-256 and path per file, as ``sha256sum -c`` reads it."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(contents.items())]
    return {**contents, manifest_name(name, version): "".join(lines).encode()}


def zip_bytes(bundle: PackedBundle) -> bytes:
    """Return a bundle as a byte-reproducible zip.

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

    Of a folder only the files that the manifest names are read. Sizes are compared with `LARGEST_BYTES` and
    `LARGEST_RATIO` before and while a zip is unpacked, so that a zip bomb is refused without the memory it asks for.

    Args:
        path: zip file or folder.

    Raises:
        InputError: If the file does not exist, is not a zip or is too large; if a name leads outside the bundle or is
            not valid on every system; if a member is a link or a duplicate; if the manifest is missing; or if a file
            is missing, changed, or (in a zip) not named by the manifest.
    """
    path = Path(path)
    try:
        if path.is_dir():
            name, version, digests, contents, unlisted = _read_folder(path)
        elif path.is_file():
            name, version, digests, contents = _read_zip(path)
            unlisted = ()
        else:
            raise InputError(f"expected a packed bundle (a zip or its folder) at {path}, not found")
    except (OSError, MemoryError) as error:
        raise InputError(f"cannot read {path} ({error or 'it does not fit into the memory'})") from error
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
            members = _checked_members(path, file)
            contents = {
                member.filename.split("/", 1)[1]: _read_member(path, file, member)
                for member in members
                if not member.is_dir()
            }
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError, UnicodeError,
    ) as error:  # fmt: skip
        raise InputError(f"{path} is not a whole zip file ({error}); download or pack it again") from error
    root = members[0].filename.split("/", 1)[0]
    name, version, digests = _manifest(path, contents)
    if root != name:
        raise InputError(f"expected the folder {name} at the top of {path}, found {root}")
    extra = sorted(set(contents) - set(digests) - {manifest_name(name, version)})
    if extra:
        raise InputError(f"{path} holds {extra[0]}, which its checksums do not name; do not use it")
    return name, version, digests, contents


def _checked_members(path: Path, file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members of a zip after comparing names, kinds and declared sizes; none of them is unpacked."""
    members = file.infolist()
    for member in members:
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{path} holds {as_shown(member.filename)}, a link or device; do not use it")
        if member.compress_type not in METHODS:
            raise InputError(f"{path} holds {as_shown(member.filename)} in a compression other than deflate")
    # orig_filename: ZipInfo itself cuts the name at a zero byte and turns Windows separators.
    check_member_names(path, [member.orig_filename for member in members])
    roots = {member.filename.split("/", 1)[0] for member in members}
    if len(roots) != 1 or any("/" not in member.filename for member in members):
        raise InputError(f"expected one folder at the top of {path}, found {', '.join(sorted(roots)[:5]) or 'none'}")
    if len(members) > MOST_FILES:
        raise InputError(f"{path} holds {len(members)} files, more than {MOST_FILES}; do not use it")
    total = sum(member.file_size for member in members)
    if total > LARGEST_BYTES:
        raise InputError(f"{path} unpacks to more than {LARGEST_BYTES // 2**30} GiB; do not use it")
    for size, packed in [(total, path.stat().st_size), *((one.file_size, one.compress_size) for one in members)]:
        if size > max(RATIO_FLOOR_BYTES, LARGEST_RATIO * packed):
            raise InputError(f"{path} unpacks to more than {LARGEST_RATIO} times its size; do not use it")
    return members


def _read_member(path: Path, file: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with file.open(member) as stream:
        return _read_pieces(path, stream, member.file_size)


def _read_pieces(path: Path, stream: IO[bytes], size: int) -> bytes:
    """Read a stream of a declared length; a longer one is rejected as soon as that length is exceeded."""
    pieces = bytearray()
    while piece := stream.read(PIECE_BYTES):
        pieces += piece
        if len(pieces) > size:
            raise InputError(f"{path} holds more than its directory says; do not use it")
    return bytes(pieces)


def _manifest(path: Path, contents: Mapping[str, bytes]) -> tuple[str, str, dict[str, str]]:
    found = [match for file in contents if (match := MANIFEST.fullmatch(file))]
    if len(found) != 1:
        what = "none" if not found else ", ".join(sorted(match.string for match in found))
        raise InputError(f"expected one NAME_vVERSION.sha256 in {path}, found {what}; pack the bundle first")
    digests = {}
    for line in contents[found[0].string].decode("utf-8", "replace").splitlines():
        match = MANIFEST_LINE.fullmatch(line)
        if match is None:
            raise InputError(f"expected 'SHA-256  path' in {found[0].string} of {path}, found {as_shown(line, 80)}")
        if match["path"] in digests:
            raise InputError(f"{found[0].string} of {path} names {as_shown(match['path'])} twice; do not use it")
        digests[match["path"]] = match["digest"]
    check_member_names(path, list(digests))
    return found[0]["name"], found[0]["version"], digests


def _read_folder(path: Path) -> tuple[str, str, dict[str, str], dict[str, bytes], tuple[str, ...]]:
    manifests = {
        file.name: _read_file(file) for file in path.glob("*.sha256") if file.is_file() and not file.is_symlink()
    }
    name, version, digests = _manifest(path, manifests)
    there = _files_below(path)
    links = sorted(member for member, is_link in there.items() if is_link)
    if links:
        raise InputError(f"{path / links[0]} is a link; a packed bundle holds none")
    named = [member for member in digests if (path / member).is_file()]
    if sum((path / member).stat().st_size for member in named) > LARGEST_BYTES:
        raise InputError(f"{path} holds more than {LARGEST_BYTES // 2**30} GiB; do not use it")
    manifest = manifest_name(name, version)
    contents = {manifest: manifests[manifest]} | {member: _read_file(path / member) for member in named}
    return name, version, digests, contents, tuple(sorted(set(there) - set(contents)))


def _files_below(path: Path) -> dict[str, bool]:
    """Return the files and links below a folder, each with whether it is a link; links are not followed."""
    found = {}
    for folder, folders, files in os.walk(path):
        for entry in (*folders, *files):
            one = Path(folder) / entry
            if one.is_symlink() or entry in files:
                found[one.relative_to(path).as_posix()] = one.is_symlink()
    return found


def _read_file(file: Path) -> bytes:
    if file.stat().st_size > LARGEST_BYTES:
        raise InputError(f"{file} is larger than {LARGEST_BYTES // 2**30} GiB; do not use it")
    return file.read_bytes()
