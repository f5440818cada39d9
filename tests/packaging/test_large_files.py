"""Files above the model zoo's limit are named with their address and checksum."""

import json

import pytest
from monai.bundle import scripts
from regionwise.errors import InputError
from regionwise.packaging import large_files
from regionwise.packaging.archive import read_bundle
from regionwise.packaging.checks import check_layout
from regionwise.packaging.code import find_code
from regionwise.packaging.large_files import FILE
from regionwise.packaging.pack import pack

from .packing import repack, sha256, unpack, write_run, write_source

URL = "https://example.org/models/acdc_rrw"


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(large_files, "LIMIT_MIB", 0.05)


@pytest.fixture
def packed(small_limit, tmp_path):
    pack(str(write_source(tmp_path / "source")), str(write_run(tmp_path / "run")), str(tmp_path), url=URL + "/")
    return tmp_path / "acdc_rrw_v0.1.0.zip"


def test_monai_downloads_the_weights_by_what_pack_wrote(packed, tmp_path, monkeypatch):
    folder = unpack(packed, tmp_path / "unpacked")
    (weights,) = json.loads((folder / FILE).read_text())["large_files"]
    assert weights == {
        "path": "models/model.pt",
        "url": f"{URL}/models/model.pt",
        "hash_val": sha256(folder / "models" / "model.pt"),
        "hash_type": "sha256",
    }
    asked = []
    monkeypatch.setattr(scripts, "download_url", lambda **options: asked.append(options))
    scripts.download_large_files(str(folder))
    assert [(one["url"], str(one["filepath"])) for one in asked] == [
        (weights["url"], str((folder / "models" / "model.pt").resolve()))
    ]


def test_verify_takes_it_for_no_code(packed):
    bundle = read_bundle(packed)
    assert check_layout(bundle).endswith("models/model.pt hosted as large_files.json says")
    assert find_code(bundle)[1] == []


def test_small_files_need_no_address(tmp_path):
    pack(str(write_source(tmp_path / "source")), str(write_run(tmp_path / "run")), str(tmp_path), url=URL)
    bundle = read_bundle(tmp_path / "acdc_rrw_v0.1.0.zip")
    assert FILE not in bundle.contents
    assert check_layout(bundle) == f"{len(bundle.contents)} files"


def test_large_files_without_an_address_are_named(packed_zip, small_limit):
    told = check_layout(read_bundle(packed_zip))
    assert told.endswith("the model zoo wants large_files.json, which pack writes with --url")


@pytest.mark.parametrize(
    "url", ["", "example.org", "http://example.org", "https://", "https://a b", "file:///etc", "5"]
)
def test_what_is_no_address_is_refused(url, tmp_path):
    with pytest.raises(InputError, match="expected --url to be an address such as https:"):
        pack(str(write_source(tmp_path / "source")), str(write_run(tmp_path / "run")), str(tmp_path), url=url)
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "models/other.pt"}, "names models/other.pt, which is not in the bundle"),
        ({"path": "../model.pt"}, "which is not in the bundle"),
        ({"hash_val": "0" * 64}, "has another SHA-256 of models/model.pt than the bundle"),
        ({"hash_type": "md5"}, "has another SHA-256"),
        ({"url": "http://example.org/x"}, "expected an https address of models/model.pt"),
        ({"url": 5}, "expected files with hash_type, hash_val, path, url in large_files.json"),
        ({"progress": True}, "expected files with hash_type, hash_val, path, url in large_files.json"),
    ],
)
def test_what_would_bring_another_file_is_refused(packed, tmp_path, change, message):
    content = json.loads(read_bundle(packed).contents[FILE])
    content["large_files"][0] |= change
    bad = read_bundle(repack(packed, tmp_path / "bad.zip", {FILE: json.dumps(content).encode()}))
    with pytest.raises(InputError, match=message):
        check_layout(bad)


@pytest.mark.parametrize("content", [[], {}, {"large_files": []}, {"large_files": 5}, {"large_files": [5]}])
def test_a_list_that_is_none_is_refused(packed, tmp_path, content):
    bad = read_bundle(repack(packed, tmp_path / "bad.zip", {FILE: json.dumps(content).encode()}))
    with pytest.raises(InputError, match=r"expected files with hash_type, hash_val, path, url in large_files\.json"):
        check_layout(bad)
