"""Verify a packed bundle, first statically, then by a trial run: ``python -m regionwise verify``."""

import tempfile
from pathlib import Path

from ..errors import InputError
from ..options import as_flag
from .archive import PackedBundle, read_bundle, write_folder
from .checks import describe_package, static_checks
from .code import find_code
from .trial_run import STEPS, run_trial


def verify(bundle: str, execute: bool | str | None = None) -> int:
    """Check a packed bundle: a zip, or the folder it was unpacked to.

    First without running any of it: the zip's members, checksums, layout, metadata and schema, versions, weights, and
    its code: `$` expressions, targets, macros and files that are not known to be only wiring are listed. If all is
    well and nothing is listed, it is copied to a temporary folder and run in a process of its own: MONAI's
    check_properties, verify_net_in_out and ckpt_export, inference on a generated scan, whether inference.json prepares
    that scan, and the network answers, as in evaluate.json, and where the labels of the scan lie if it is stored
    mirrored.

    README.md beside this module says what this protects from and what it does not.

    Args:
        bundle: zip or folder.
        execute: true also runs a bundle with listed code; false runs none.

    Returns:
        0 if every check passed, else 1. Listed code that was not run is a check that did not pass.
    """
    runs = None if execute is None else as_flag(execute, "execute")
    packed = read_bundle(bundle)
    _print("checksums", f"{len(packed.contents) - 1} files as {packed.name} {packed.version} lists them")
    if packed.unlisted:
        _print("", f"{len(packed.unlisted)} files in the folder are not part of the bundle and are left out")
    with tempfile.TemporaryDirectory() as temporary:
        folder, scratch = Path(temporary) / packed.name, Path(temporary) / "scratch"
        write_folder(packed, folder)
        passed = _run_static_checks(packed, folder)
        found = _list_code(packed)
        if not passed or found is None or runs is False or (found and runs is None):
            hint = "; --execute true runs it all the same" if passed and found and runs is None else ""
            print(f"nothing was run{hint}")
            return int(not passed or found is None or bool(found))
        scratch.mkdir()
        steps = run_trial(folder, scratch)
    failed = [step for step in STEPS if steps.get(step, "failed: not reached").startswith("failed")]
    for step in STEPS:
        line = steps.get(step, "not reached")
        _print(step, line.removeprefix("failed: "), "failed" if step in failed else "ok")
    return int(bool(failed))


def _run_static_checks(packed: PackedBundle, folder: Path) -> bool:
    """Run the checks until one fails: the later ones read what the earlier ones found in order."""
    for name, check in static_checks(packed, folder).items():
        try:
            _print(name, check())
        except InputError as error:
            _print(name, str(error), "failed")
            return False
    return True


def _list_code(packed: PackedBundle) -> list[str] | None:
    """Print and return the code that is more than wiring; None if that cannot be determined."""
    try:
        count, found = find_code(packed)
    except InputError as error:
        _print("code", str(error), "failed")
        return None
    _print("code", f"{count} `$` expressions; not known to be only wiring: {len(found)}", "listed" if found else "ok")
    for line in found:
        print(f"            {line}")
    _print("", describe_package(packed), "")
    return found


def _print(name: str, text: str, status: str = "ok") -> None:
    print(f"{name:<12}{status:<8}{text}", flush=True)
