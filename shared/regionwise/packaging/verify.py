"""Check a bundle that someone packed, before and while running it: ``python -m regionwise verify``."""

import tempfile
from pathlib import Path

from ..errors import InputError
from .archive import PackedBundle, read_bundle, write_folder
from .checks import describe_package, static_checks
from .expressions import find_code
from .trial_run import STEPS, run_trial


def verify(bundle: str, execute: bool = True) -> int:
    """Check a packed bundle: a zip, or the folder it was unpacked to.

    First without running any of it: the zip's members, checksums, layout, metadata and schema, versions, weights. Then
    its `$` expressions, which are code, are counted, and those that are more than wiring are listed. If all is well it
    is copied to a temporary folder and run in a process of its own: MONAI's check_properties, verify_net_in_out and
    ckpt_export, and inference on a generated scan.

    Args:
        bundle: zip or folder.
        execute: False stops before anything is run.

    Returns:
        0 if every check passed, else 1.
    """
    packed = read_bundle(bundle)
    _print("checksums", f"{len(packed.contents) - 1} files as {packed.name} {packed.version} lists them")
    if packed.unlisted:
        _print("", f"{len(packed.unlisted)} files in the folder are not part of the bundle, first {packed.unlisted[0]}")
    with tempfile.TemporaryDirectory() as temporary:
        folder, scratch = Path(temporary) / packed.name, Path(temporary) / "scratch"
        write_folder(packed, folder)
        if not _run_static_checks(packed, folder):
            return 1
        _list_code(packed)
        if not execute:
            print("nothing was run")
            return 0
        scratch.mkdir()
        steps = run_trial(folder, scratch)
    failed = [step for step in STEPS if steps.get(step, "failed: not reached").startswith("failed")]
    for step in STEPS:
        line = steps.get(step, "not reached")
        _print(step, line.removeprefix("failed: "), "failed" if step in failed else "ok")
    return int(bool(failed))


def _run_static_checks(packed: PackedBundle, folder: Path) -> bool:
    failed = 0
    for name, check in static_checks(packed, folder).items():
        try:
            _print(name, check())
        except InputError as error:
            failed += 1
            _print(name, str(error), "failed")
    if failed:
        print("nothing was run")
    return not failed


def _list_code(packed: PackedBundle) -> None:
    count, found = find_code(packed.contents)
    _print(
        "code", f"{count} `$` expressions run as Python when the bundle is used; more than wiring are {len(found)}", ""
    )
    for line in found:
        print(f"            {line}")
    _print("", describe_package(packed), "")


def _print(name: str, text: str, status: str = "ok") -> None:
    print(f"{name:<12}{status:<8}{text}", flush=True)
