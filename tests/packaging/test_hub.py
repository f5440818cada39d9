"""Sharing: through a folder, and through a stand-in of the Hugging Face Hub that keeps its files in a folder."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.packaging.archive import read_bundle
from regionwise.packaging.hub import pull, push

from .packing import change_json, repack, write_zip


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def newer_zip(packed_zip, tmp_path):
    """Return the same bundle as version 0.10.0."""
    contents = dict(read_bundle(packed_zip).contents)
    contents = {path.replace("_v0.1.0.sha256", "_v0.10.0.sha256"): content for path, content in contents.items()}
    renamed = tmp_path / "renamed.zip"
    write_zip(renamed, "acdc_rrw", contents)
    return change_json(
        renamed, tmp_path / "newer.zip", "configs/metadata.json", version="0.10.0", changelog={"0.10.0": ""}
    )


def test_a_bundle_that_is_pushed_and_pulled_is_the_same(packed_zip, store, tmp_path):
    push(str(packed_zip), str(store))
    pull(str(store), str(tmp_path / "out"))
    assert read_bundle(tmp_path / "out" / "acdc_rrw") == read_bundle(packed_zip)


def test_the_newest_version_is_pulled_unless_one_is_named(packed_zip, newer_zip, store, tmp_path):
    push(str(packed_zip), str(store))
    push(str(newer_zip), str(store))
    pull(str(store), str(tmp_path / "new"))
    pull(str(store), str(tmp_path / "old"), version="0.1.0")
    assert read_bundle(tmp_path / "new" / "acdc_rrw").version == "0.10.0"
    assert read_bundle(tmp_path / "old" / "acdc_rrw").version == "0.1.0"


def test_a_version_is_never_replaced(packed_zip, store, tmp_path):
    push(str(packed_zip), str(store))
    push(str(packed_zip), str(store))  # the same again is no harm
    other = repack(packed_zip, tmp_path / "other.zip", {"docs/more.txt": b"more"})
    with pytest.raises(
        InputError, match=r"holds another version or content; choose another folder or raise the version"
    ):
        push(str(other), str(store))


def test_a_folder_with_other_content_is_not_replaced(packed_zip, newer_zip, store, tmp_path):
    push(str(packed_zip), str(store))
    push(str(newer_zip), str(store))
    pull(str(store), str(tmp_path / "out"), version="0.1.0")
    pull(str(store), str(tmp_path / "out"), version="0.1.0")  # the same again is no harm
    with pytest.raises(InputError, match=r"out/acdc_rrw holds another version or content"):
        pull(str(store), str(tmp_path / "out"))


def test_a_bundle_that_fails_its_checks_is_not_pushed(packed_zip, store, tmp_path):
    bad = change_json(packed_zip, tmp_path / "bad.zip", "configs/metadata.json", schema="https://example.org/new.json")
    with pytest.raises(InputError, match=r"follows the schema"):
        push(str(bad), str(store))
    assert list(store.iterdir()) == []


def test_a_bundle_that_was_tampered_with_is_not_pulled(packed_zip, store, tmp_path, capsys):
    push(str(packed_zip), str(store))
    with (store / "acdc_rrw" / "0.1.0" / "regionwise" / "maps.py").open("a") as file:
        file.write("import os\n")
    assert main(["pull", str(store), "--out", str(tmp_path / "out")]) == 1
    assert "regionwise/maps.py in" in (line := capsys.readouterr().err)
    assert "was changed" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"expected a pushed bundle in .*store, found none"),
        ({"name": "acdc_rrw"}, r"acdc_rrw not found in .*store; there are none"),
    ],
)
def test_an_empty_folder_is_named(arguments, message, store, tmp_path):
    with pytest.raises(InputError, match=message):
        pull(str(store), str(tmp_path / "out"), **arguments)


def test_a_version_that_is_not_there_is_named(packed_zip, store, tmp_path):
    push(str(packed_zip), str(store))
    with pytest.raises(InputError, match=r"acdc_rrw 2.0 not found in .*; there are 0.1.0"):
        pull(str(store), str(tmp_path / "out"), version="2.0")


@pytest.mark.parametrize("place", ["no/such/folder", "folder", "../nowhere"])
def test_a_place_that_is_neither_folder_nor_repository_is_named(place, packed_zip):
    with pytest.raises(InputError, match=r"expected an existing folder or OWNER/NAME of a repository, found"):
        push(str(packed_zip), place)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Put a folder in the place of the Hub: a repository is a folder, a tag a copy of it."""
    huggingface_hub = pytest.importorskip("huggingface_hub")
    root = tmp_path / "hub"

    class Interface:
        def __init__(self, token=None):
            pass

        def repo_exists(self, repo_id):
            return (root / repo_id).is_dir()

        def create_repo(self, repo_id, private, exist_ok):
            (root / repo_id / "main").mkdir(parents=True, exist_ok=exist_ok)

        def upload_folder(self, repo_id, folder_path):
            shutil.copytree(folder_path, root / repo_id / "main", dirs_exist_ok=True)
            return f"https://example.org/{repo_id}"

        def create_tag(self, repo_id, tag, exist_ok):
            shutil.copytree(root / repo_id / "main", root / repo_id / tag)

        def list_repo_refs(self, repo_id):
            return SimpleNamespace(tags=[SimpleNamespace(name=path.name) for path in (root / repo_id).iterdir()])

    def snapshot_download(repo_id, revision, local_dir):
        if not (root / repo_id).is_dir():
            raise ConnectionError("no route to the Hub\nmore")
        shutil.copytree(root / repo_id / (revision or "main"), local_dir, dirs_exist_ok=True)

    monkeypatch.setattr(huggingface_hub, "HfApi", Interface)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return root


def test_a_repository_gets_the_files_and_a_tag(packed_zip, hub, tmp_path):
    push(str(packed_zip), "someone/acdc_rrw")
    assert (hub / "someone" / "acdc_rrw" / "0.1.0" / "models" / "model.pt").is_file()
    assert (hub / "someone" / "acdc_rrw" / "main" / "README.md").is_file(), "the model card of the Hub"
    pull("someone/acdc_rrw", str(tmp_path / "out"), version="0.1.0")
    assert read_bundle(tmp_path / "out" / "acdc_rrw") == read_bundle(packed_zip)
    with pytest.raises(InputError, match=r"someone/acdc_rrw has version 0.1.0 already; raise it in metadata.json"):
        push(str(packed_zip), "someone/acdc_rrw")


def test_what_the_hub_refuses_is_one_line(hub, tmp_path):
    with pytest.raises(InputError, match=r"the Hub did not do this for someone/else: no route to the Hub$"):
        pull("someone/else", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("client", ["httpx", "httpx2"])
def test_no_network_is_one_line(client, hub, packed_zip, monkeypatch, tmp_path):
    """huggingface_hub raises the errors of its HTTP client, which are no OSError."""
    httpx = SimpleNamespace(HTTPError=type("HTTPError", (Exception,), {}))
    monkeypatch.setitem(sys.modules, client, httpx)

    def fail(*_, **__):
        raise httpx.HTTPError("[Errno -2] Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.repo_exists", fail)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    message = r"the Hub did not do this for someone/else: \[Errno -2\] Name or service not known$"
    with pytest.raises(InputError, match=message):
        push(str(packed_zip), "someone/else")
    with pytest.raises(InputError, match=message):
        pull("someone/else", str(tmp_path / "out"))


def test_push_needs_the_zip(store, tmp_path):
    with pytest.raises(InputError, match=r"expected a packed bundle .* not found"):
        push(str(Path("nowhere.zip")), str(store))
