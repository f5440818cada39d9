"""The folder that an evaluation writes: its files, and what must not be overwritten there."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from .cases import Case
from .output import check_outputs, check_writable

FILES = ("cases.csv", "summary.json", "report.html")
REVIEW = "review.csv"
"""Written beside them where a trust score is known."""

# Longest file name of common file systems, less what a temporary name adds.
LONGEST_NAME = 255 - len(".writing-12345678-")


def check_result_folder(cases: Sequence[Case], out: Path, error_maps: bool, overwrite: bool) -> None:
    """Reject a folder that cannot be written to, or in which files would be overwritten.

    Args:
        cases: Cases that will be evaluated.
        out: Folder of the results.
        error_maps: Whether error maps will be written to ``out``/error_maps.
        overwrite: Whether existing results may be replaced. Inputs are never overwritten.

    Raises:
        InputError: If the folder cannot be written to, or holds inputs, results or a file that an output would replace.
    """
    check_writable(out)
    inputs = [path for one in cases for path in (one.prediction, one.reference, one.image, one.probabilities) if path]
    folders = {path.parent.resolve() for path in inputs}
    for folder in (out, *([out / "error_maps"] if error_maps else [])):
        if folder.resolve() in folders and not overwrite:
            raise InputError(f"{folder} holds inputs; choose another --out, or pass --overwrite to write beside them")
    outputs = [out / name for name in (*FILES, REVIEW) if not (name == "cases.csv" and _is_unfinished(out))]
    if error_maps:
        for case in cases:
            if len(f"{case.name}.nii.gz".encode()) > LONGEST_NAME or "/" in case.name:
                raise InputError(
                    f"the case name '{case.name}' cannot be that of a file (at most {LONGEST_NAME - 7} bytes, no "
                    "slash); rename the case, or leave out --error_maps"
                )
        outputs += [out / "error_maps" / f"{case.name}.nii.gz" for case in cases]
    check_outputs(outputs, inputs, overwrite)


def _is_unfinished(out: Path) -> bool:
    """Return whether a folder holds what an evaluation with bad cases left: a cases.csv of ours and no summary."""
    path = out / "cases.csv"
    if (out / "summary.json").exists() or not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        return file.read(5) == b"case,"


@contextmanager
def error_map_folder(out: Path, wanted: bool) -> Iterator[Path | None]:
    """Yield a folder for error maps that is gone when the block ends, or None."""
    if not wanted:
        yield None
        return
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=out, prefix=".writing-"))
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror or error}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if made and not any(out.iterdir()):
            out.rmdir()


def publish_error_maps(maps: Path, folder: Path) -> None:
    """Move finished error maps to their folder."""
    try:
        folder.mkdir(exist_ok=True)
        for path in sorted(maps.iterdir()):
            path.replace(folder / path.name)
    except OSError as error:
        raise InputError(f"cannot write error maps to {folder}: {error.strerror or error}") from error
