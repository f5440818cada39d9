"""Hostile bundles: each trick is listed or refused before anything runs, and then nothing runs."""

import resource
import subprocess
import sys

import pytest
from regionwise.cli import main
from regionwise.packaging.archive import read_bundle

from . import hostile

LISTED = hostile.listed()
REFUSED = hostile.refused()


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """Work in a folder of its own, in which nothing may appear, and fail where the trial would run."""
    folder = tmp_path / "inside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("regionwise.packaging.verify.run_trial", None)
    yield folder
    assert list(folder.iterdir()) == []
    assert not hostile.MARK.exists()


@pytest.mark.parametrize("name", LISTED)
def test_code_is_listed_and_not_run(name, packed_zip, tmp_path, inside, capsys):
    trick, message = LISTED[name]
    assert main(["verify", str(trick(packed_zip, tmp_path / "hostile.zip"))]) == 1
    out = capsys.readouterr().out
    assert any(message in line for line in out.splitlines()), out
    assert out.splitlines()[-1].startswith("nothing was run")
    assert out.isascii()
    assert "\x1b" not in out


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_broken_on_purpose_is_one_line(name, packed_zip, tmp_path, inside, capsys):
    trick, message = REFUSED[name]
    assert main(["verify", str(trick(packed_zip, tmp_path / "hostile.zip"))]) == 1
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if line.split()[1] == "failed"] or err.splitlines()
    assert message in lines[0], out + err
    assert err.count("\n") <= 1
    assert (out + err).isascii()


@pytest.mark.parametrize("switch", ["false", "False", "FALSE"])
def test_execute_false_runs_nothing(switch, packed_zip, tmp_path, inside, capsys):
    assert main(["verify", str(packed_zip), "--execute", switch]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing was run"
    evil = LISTED["import alias of a call"][0](packed_zip, tmp_path / "evil.zip")
    assert main(["verify", str(evil), "--execute", switch]) == 1


def test_a_switch_that_is_neither_is_refused(packed_zip, inside, capsys):
    assert main(["verify", str(packed_zip), "--execute", "maybe"]) == 1
    assert "expected --execute to be true or false, found 'maybe'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export", "dicom"])
def test_other_commands_run_no_listed_code(command, packed_zip, tmp_path, inside, capsys, monkeypatch):
    evil = LISTED["expression"][0](packed_zip, tmp_path / "evil.zip")
    monkeypatch.setattr("regionwise.packaging.dicom.read_series", lambda _: None)
    options = {"export": ["--out", "o"], "dicom": ["--input", "i", "--output_dir", "o"]}[command]
    assert main([command, str(evil), *options]) == 1
    assert (
        "the bundle may run code of its own, first configs/inference.json amp: $__import__" in capsys.readouterr().err
    )


def test_a_module_put_into_the_folder_is_listed(packed_folder, inside, capsys):
    (packed_folder / "itk.py").write_bytes(hostile.EVIL_MODULE)
    (packed_folder / "configs" / "multi.json").write_text("{}")
    (packed_folder / "eval").mkdir()
    (packed_folder / "eval" / "summary.json").write_text("{}")
    assert main(["verify", str(packed_folder)]) == 1
    out = capsys.readouterr().out
    assert "itk.py (in the folder, but not named by the checksums)" in out
    assert "configs/multi.json (in the folder" in out
    assert "summary.json" not in out


def test_a_link_to_a_folder_is_refused(packed_folder, tmp_path, inside, capsys):
    (tmp_path / "elsewhere").mkdir()
    (packed_folder / "itk").symlink_to(tmp_path / "elsewhere")
    assert main(["verify", str(packed_folder)]) == 1
    assert "itk is a link; a packed bundle holds none" in capsys.readouterr().err


def test_a_zip_bomb_needs_neither_time_nor_memory(packed_zip, tmp_path):
    file = hostile.bomb(packed_zip, tmp_path / "bomb.zip", mebibytes=1024)
    code = "import sys; from regionwise.packaging.archive import read_bundle; read_bundle(sys.argv[1])"
    limit = 6 * 2**30  # of addresses: importing torch takes most of it
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "unpacks to more than 100 times its size; do not use it" in done.stderr
    assert "MemoryError" not in done.stderr


def test_all_of_a_good_bundle_is_known(packed_zip, capsys):
    assert main(["verify", str(packed_zip), "--execute", "false"]) == 0
    out = capsys.readouterr().out
    assert "not known to be only wiring: 0" in out
    assert len(read_bundle(packed_zip).contents) > 100
