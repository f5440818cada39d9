"""One rule for every command: nothing that is there already is replaced unless --overwrite is given."""

import inspect
import shutil
from pathlib import Path

import pytest
from regionwise import cli
from regionwise.cli import COMMANDS

from .campaign.bad_values import RIGHT, prepare, run_in
from .campaign.trial import Ending, files_of

# The files that the right command of the campaign writes, some that only other options make it write among them.
WRITES: dict[str, tuple[str, ...]] = {
    "phantom": ("out/any file",),
    "check": ("out.json",),
    "evaluate": ("out/cases.csv", "out/summary.json", "out/report.html"),
    "predict": ("out/predictions/scan.nii.gz",),
    "calibrate": ("out/calibration.json", "out/calibration.html"),
    "compare": ("out/table.md", "out/table.tex", "out/statistics.csv", "out/comparison.json"),
    "fuse": ("out/labels/a.nii.gz", "out/raters.csv", "out/pairs.csv", "out/inter_rater.csv"),
    "quantize": ("out/model_int8.onnx", "out/model_int8.json"),
    "next": ("out/next_cases.csv", "out/next_slices.csv"),
    "replay": ("out/replay_curves.csv", "out/replay_summary.csv"),
    "gradients": ("out.png",),
    "lint": (),
    "pack": ("out/acdc_rrw_v{version}.zip",),
    "verify": (),
    "export": ("out/model.ts", "out/README.md"),
    "dicom": ("out/labels.nii.gz", "out/segmentation.dcm"),
    "push": ("out/acdc_rrw/{version}/LICENSE",),
    "pull": ("out/acdc_rrw/LICENSE",),
}
# What these write is replaced by nothing, and they have no such option.
NEVER = {"phantom", "check", "pack", "push", "pull"}
MORE = {"check": {"skip_bad": "out.json", "split": "kfold", "folds": "2"}}
# A dataset for three trainings, a network whose int8 form is worth it, a DICOM series: more than a test of seconds has.
NOT_RUN = {"quantize", "replay", "dicom"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with what the commands read, the folder that `push` takes among it."""
    return prepare(tmp_path_factory.mktemp("commands"))


@pytest.fixture(autouse=True)
def _without_outputs(folder):
    yield
    for path in folder.glob("out*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def call(folder: Path, command: str, *more: str) -> Ending:
    if command == "push":
        (folder / "out").mkdir(exist_ok=True)
    given = RIGHT[command] | MORE.get(command, {})
    return run_in(folder, [command, *(word for name, value in given.items() for word in (f"--{name}", value)), *more])


def test_every_command_says_what_it_writes():
    assert WRITES.keys() == COMMANDS.keys(), "a new command has to follow the rule too"


@pytest.mark.parametrize("command", [name for name, written in WRITES.items() if written and name not in NEVER])
def test_the_option_is_called_overwrite_and_is_off(command):
    assert inspect.signature(cli._load(command)).parameters["overwrite"].default is False


@pytest.mark.parametrize(
    ("command", "name"), [(command, name) for command, written in WRITES.items() for name in written]
)
def test_a_file_that_is_there_stays(folder, command, name):
    version = next((folder / "share" / "acdc_rrw").iterdir()).name
    path = folder / name.format(version=version)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"earlier")
    before = files_of(folder)
    ending = call(folder, command)
    assert (ending.status, ending.crash) == (1, "")
    assert "error: " in ending.err or "error: " in ending.out
    assert command in NEVER or "--overwrite" in ending.err
    assert files_of(folder) == before


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # of torch.jit
@pytest.mark.parametrize("command", [name for name, written in WRITES.items() if written and name not in NOT_RUN])
def test_what_a_command_wrote_is_replaced_only_on_demand(folder, command):
    untouched = files_of(folder)
    assert call(folder, command).status == 0
    first = files_of(folder)
    assert first.keys() > untouched.keys(), "it wrote something"
    ending = call(folder, command)
    assert (ending.status, ending.crash) == ((0 if command in ("pack", "push", "pull") else 1), "")
    assert files_of(folder) == first
    if command not in NEVER:
        assert call(folder, command, "--overwrite", "true").status == 0
    assert {name: files_of(folder)[name] for name in untouched} == untouched
