import gzip
import json
import os
import signal
import stat
import subprocess
import sys

import pytest
from regionwise import files
from regionwise.errors import InputError
from regionwise.files import atomic_folder, atomic_path, content_digest, read_json, write_json, write_text


def test_a_file_appears_whole_and_nothing_else_does(tmp_path):
    with atomic_path(tmp_path / "new" / "scan.nii.gz") as temporary:
        assert temporary.parent == tmp_path / "new"
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("content")
        assert not (tmp_path / "new" / "scan.nii.gz").exists()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["scan.nii.gz"]


def test_an_error_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(ZeroDivisionError), atomic_path(file) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_as_readable_as_the_umask_says(tmp_path):
    old = os.umask(0o022)
    try:
        write_text(tmp_path / "a.txt", "x")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


def test_a_folder_appears_whole(tmp_path):
    with atomic_folder(tmp_path / "case") as temporary:
        (temporary / "a.npy").write_text("x")
        assert not (tmp_path / "case").exists()
    assert [file.name for file in tmp_path.rglob("*")] == ["case", "a.npy"]


def test_an_error_leaves_no_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "case") as temporary:
        (temporary / "a.npy").write_text("x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_of_a_folder_the_first_stays(tmp_path):
    with atomic_folder(tmp_path / "case") as slow:
        (slow / "who").write_text("slow")
        with atomic_folder(tmp_path / "case") as fast:
            (fast / "who").write_text("fast")
    assert (tmp_path / "case" / "who").read_text() == "fast"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("writer", ["atomic_path", "atomic_folder"])
def test_a_process_that_is_killed_leaves_no_result(tmp_path, writer):
    code = f"""
import os, signal
from regionwise.files import {writer}
with {writer}({str(tmp_path / "result")!r}) as temporary:
    (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert not (tmp_path / "result").exists()
    assert all(left.name.startswith(".writing-") for left in tmp_path.iterdir())


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "a.json", {"dice": None})
    assert json.loads((tmp_path / "a.json").read_text()) == {"dice": None}
    with pytest.raises(ValueError, match="Out of range float values"):
        write_json(tmp_path / "b.json", {"dice": float("nan")})
    assert not (tmp_path / "b.json").exists()


def dead_process():
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    return int(done.stdout)


def test_what_killed_processes_left_is_removed_on_the_next_start(tmp_path):
    host = files._host()
    gone = [tmp_path / f".writing-{host}-{dead_process()}-x-a.pt", tmp_path / f".writing-{host}-{dead_process()}-y"]
    alive = [tmp_path / f".writing-{host}-{os.getpid()}-x-a.pt", tmp_path / ".writing-elsewhere-1-x-a.pt"]
    for path in (gone[0], *alive):
        path.write_text("half")
    gone[1].mkdir()
    (gone[1] / "image.npy").write_text("half")
    write_text(tmp_path / "a.txt", "whole")
    assert sorted(tmp_path.iterdir()) == sorted([*alive, tmp_path / "a.txt"])


@pytest.mark.parametrize("name", [".writing-elsewhere-1-x-a.pt", ".writing-abc"])
def test_what_another_machine_left_is_removed_after_a_day(tmp_path, name):
    (tmp_path / name).write_text("half")
    files.remove_leftovers(tmp_path)
    assert (tmp_path / name).exists()
    os.utime(tmp_path / name, (0, 0))
    files.remove_leftovers(tmp_path)
    assert not (tmp_path / name).exists()


def test_a_name_as_long_as_the_file_system_allows_is_written(tmp_path):
    name = "a" * 240 + ".json"
    write_json(tmp_path / name, [1])
    assert read_json(tmp_path / name) == [1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"a\.json is not JSON \(Expecting property name .*\); download it again"),
        (b"\xff\xfe", r"a\.json is not JSON \('utf-8' codec .*\); download it again"),
        (
            b'{"a": {"b": 1, "b": 1}}',
            r"a\.json is not JSON \(the key 'b' is there twice in one object\); download it again",
        ),
        (b"[1, -Infinity]", r"a\.json is not JSON \(-Infinity is no number of JSON; use null\); download it again"),
        (b"[" * 100_000, r"a\.json is not JSON \(maximum recursion depth exceeded.*\); download it again"),
        (None, r"expected a JSON file at .*a\.json, not found; download it again"),
    ],
)
def test_what_is_no_json_is_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_json(tmp_path / "a.json", "download it again")
    assert "\n" not in str(caught.value)


def test_a_content_digest_is_that_of_what_was_compressed(tmp_path):
    for name, level in (("a.gz", 1), ("b.gz", 9)):
        (tmp_path / name).write_bytes(gzip.compress(b"content" * 100, level))
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"Content" * 100))
    digests = [content_digest(tmp_path / f"{name}.gz") for name in "abc"]
    assert digests[0] == digests[1] != digests[2]
