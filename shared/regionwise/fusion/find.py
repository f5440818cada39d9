"""Find the label maps of several raters: a folder per rater, or one folder with the rater in each file's name."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..nifti import is_nifti_name, stem

Found = dict[str, dict[str, Path]]
"""Case to rater to file."""

PATTERN = "{case}_seg{rater}"


def find_raters(folders: Sequence[str], pattern: str = PATTERN) -> Found:
    """Find the files of each case and rater.

    Args:
        folders: one folder per rater, with the same file names in each; or a single folder, searched with its
            subfolders for files named by the pattern.
        pattern: name without suffix, with ``{case}`` and ``{rater}``; for a single folder.

    Returns:
        The files, sorted by case. With one folder per rater, the raters are called like their folders.

    Raises:
        InputError: If a folder is missing or holds no case, a case lacks a rater, or has fewer than two.
    """
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if not path.is_dir():
            raise InputError(f"expected a folder of label maps at {path}, not found")
    found = _by_pattern(paths[0], pattern) if len(paths) == 1 else _by_folder(paths)
    few = [case for case, raters in found.items() if len(raters) < 2]
    if few:
        raise InputError(
            f"expected at least two raters per case, found {len(found[few[0]])} for '{few[0]}'{_more(len(few) - 1)}"
        )
    return dict(sorted(found.items()))


def _by_folder(folders: Sequence[Path]) -> Found:
    names = [folder.resolve().name for folder in folders]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise InputError(f"expected raters' folders of different names, found '{doubled}' twice; rename one")
    found: Found = {}
    for name, folder in zip(names, folders, strict=True):
        files = [path for path in sorted(folder.iterdir()) if is_nifti_name(path)]
        if not files:
            raise InputError(f"expected NIfTI files (.nii.gz, .nii) in {folder}, found none")
        for path in files:
            _add(found, stem(path), name, path)
    missing = [(case, name) for case, raters in sorted(found.items()) for name in names if name not in raters]
    if missing:
        case, name = missing[0]
        raise InputError(
            f"case '{case}' has no label map by rater '{name}'{_more(len(missing) - 1)}; give each folder the same "
            "file names, or leave the case out of all of them"
        )
    return found


def _by_pattern(folder: Path, pattern: str) -> Found:
    if pattern.count("{case}") != 1 or pattern.count("{rater}") != 1:
        raise InputError(f"expected --pattern with {{case}} and {{rater}}, once each, found '{pattern}'")
    text = re.escape(pattern)
    for name in ("case", "rater"):
        text = text.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>.+)")
    found: Found = {}
    for path in sorted(folder.rglob("*")):
        match = re.fullmatch(text, stem(path)) if is_nifti_name(path) and path.is_file() else None
        if match:
            # Files of one name in several subfolders (case01/task01_seg01) are cases of their own.
            inside = path.parent.relative_to(folder).parts
            _add(found, "_".join([*inside, match["case"]]), match["rater"], path)
    if not found:
        raise InputError(f"expected files named like '{pattern}.nii.gz' in {folder}, found none; see --pattern")
    return found


def _add(found: Found, case: str, rater: str, path: Path) -> None:
    raters = found.setdefault(case, {})
    if rater in raters:
        raise InputError(f"{path} and {raters[rater]} are both case '{case}' by rater '{rater}'; remove one")
    raters[rater] = path


def _more(count: int) -> str:
    return f" (and {count} more)" if count > 0 else ""
