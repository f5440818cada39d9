"""Each way in which a packed bundle can be wrong or hostile: one line, and nothing written."""

import stat
import zipfile

import pytest
from regionwise.cli import main
from regionwise.errors import InputError
from regionwise.packaging.archive import PackedBundle, read_bundle, with_manifest, write_folder, zip_bytes

from .packing import repack, write_zip


def test_the_same_contents_give_the_same_bytes():
    contents = with_manifest("a_rrw", "1.0", {"b.txt": b"b", "a/c.txt": b"c"})
    backwards = dict(reversed(contents.items()))
    assert zip_bytes(PackedBundle("a_rrw", "1.0", contents)) == zip_bytes(PackedBundle("a_rrw", "1.0", backwards))


def test_zip_and_folder_read_alike(packed_zip, packed_folder):
    assert read_bundle(packed_zip).contents == read_bundle(packed_folder).contents
    assert read_bundle(packed_zip).name == "acdc_rrw"


def test_files_that_running_leaves_in_the_folder_are_not_read(packed_folder):
    (packed_folder / "eval").mkdir()
    (packed_folder / "eval" / "scan.nii.gz").write_bytes(b"labels")
    packed = read_bundle(packed_folder)
    assert packed.unlisted == ("eval/scan.nii.gz",)
    assert "eval/scan.nii.gz" not in packed.contents


@pytest.mark.parametrize("name", ["../evil.py", "acdc_rrw/../../evil.py", "/etc/evil", "acdc_rrw\\..\\evil", "C:/evil"])
def test_a_member_that_leads_outside_is_refused_and_nothing_is_written(name, packed_zip, tmp_path, monkeypatch, capsys):
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    hostile = inside / "hostile.zip"
    hostile.write_bytes(packed_zip.read_bytes())
    with zipfile.ZipFile(hostile, "a") as archive:
        archive.writestr(name, b"evil")
    assert main(["verify", str(hostile)]) == 1
    line = capsys.readouterr().err
    assert "may lead outside the bundle; do not use it" in line
    assert line.count("\n") == 1
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [hostile]


def test_a_link_is_refused(packed_zip, tmp_path):
    hostile = tmp_path / "hostile.zip"
    hostile.write_bytes(packed_zip.read_bytes())
    link = zipfile.ZipInfo("acdc_rrw/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(hostile, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"holds acdc_rrw/link, a link or device; do not use it"):
        read_bundle(hostile)


def test_a_link_in_a_folder_is_refused(packed_folder, tmp_path):
    (tmp_path / "LICENSE").write_bytes((packed_folder / "LICENSE").read_bytes())
    (packed_folder / "LICENSE").unlink()
    (packed_folder / "LICENSE").symlink_to(tmp_path / "LICENSE")
    with pytest.raises(InputError, match=r"LICENSE is a link; a packed bundle holds none"):
        read_bundle(packed_folder)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(packed_zip, tmp_path):
    hostile = tmp_path / "hostile.zip"
    hostile.write_bytes(packed_zip.read_bytes())
    with zipfile.ZipFile(hostile, "a") as archive:
        archive.writestr("acdc_rrw/LICENSE", b"other")
    with pytest.raises(InputError, match=r"holds acdc_rrw/LICENSE twice"):
        read_bundle(hostile)


def test_a_member_that_the_checksums_do_not_name_is_refused(packed_zip, tmp_path):
    hostile = tmp_path / "hostile.zip"
    hostile.write_bytes(packed_zip.read_bytes())
    with zipfile.ZipFile(hostile, "a") as archive:
        archive.writestr("acdc_rrw/regionwise/extra.py", b"evil")
    with pytest.raises(InputError, match=r"holds regionwise/extra.py, which its checksums do not name; do not use it"):
        read_bundle(hostile)


def test_a_changed_file_is_refused(packed_zip, packed_folder, tmp_path):
    contents = dict(read_bundle(packed_zip).contents)
    contents["configs/inference.json"] += b" "
    changed = write_zip(tmp_path / "changed.zip", "acdc_rrw", contents)
    message = "configs/inference.json in .* was changed: its SHA-256 should start with [0-9a-f]{12}, found"
    with pytest.raises(InputError, match=message):
        read_bundle(changed)
    (packed_folder / "configs" / "inference.json").write_bytes(contents["configs/inference.json"])
    with pytest.raises(InputError, match=message):
        read_bundle(packed_folder)


def test_a_missing_file_is_named(packed_folder):
    (packed_folder / "models" / "model.pt").unlink()
    with pytest.raises(InputError, match=r"has no models/model.pt, which its checksums name; unpack or download it"):
        read_bundle(packed_folder)


def test_a_manifest_that_names_a_file_outside_is_refused(packed_folder):
    manifest = next(packed_folder.glob("*.sha256"))
    manifest.write_text(f"{'0' * 64}  ../secret\n")
    with pytest.raises(InputError, match=r"may lead outside the bundle"):
        read_bundle(packed_folder)


def test_a_truncated_zip_is_refused(packed_zip, tmp_path):
    half = tmp_path / "half.zip"
    half.write_bytes(packed_zip.read_bytes()[: packed_zip.stat().st_size // 2])
    with pytest.raises(InputError, match=r"half.zip is not a whole zip file \(.*\); download or pack it again"):
        read_bundle(half)


def test_a_flipped_bit_is_refused(packed_zip, tmp_path):
    content = bytearray(packed_zip.read_bytes())
    content[len(content) // 2] ^= 1
    flipped = tmp_path / "flipped.zip"
    flipped.write_bytes(content)
    with pytest.raises(InputError, match=r"is not a whole zip file|was changed"):
        read_bundle(flipped)


def test_what_is_no_packed_bundle_is_named(tmp_path):
    with pytest.raises(InputError, match=r"expected a packed bundle .* at .*nowhere.zip, not found"):
        read_bundle(tmp_path / "nowhere.zip")
    with pytest.raises(InputError, match=r"expected one NAME_vVERSION.sha256 in .*, found none; pack the bundle first"):
        read_bundle(tmp_path)


def test_the_top_folder_has_the_bundles_name(packed_zip, tmp_path):
    contents = read_bundle(packed_zip).contents
    other = write_zip(tmp_path / "other.zip", "renamed", dict(contents))
    with pytest.raises(InputError, match=r"expected the folder acdc_rrw at the top of .*, found renamed"):
        read_bundle(other)


def test_sha256sum_can_read_the_manifest(packed_folder):
    lines = next(packed_folder.glob("*.sha256")).read_text().splitlines()
    assert all(len(line.split("  ")[0]) == 64 for line in lines)
    assert {line.split("  ")[1] for line in lines} == {
        file.relative_to(packed_folder).as_posix()
        for file in packed_folder.rglob("*")
        if file.is_file() and file.suffix != ".sha256"
    }


def test_writing_and_reading_a_folder_returns_the_same(packed_zip, tmp_path):
    packed = read_bundle(packed_zip)
    write_folder(packed, tmp_path / "acdc_rrw")
    assert read_bundle(tmp_path / "acdc_rrw") == packed


def test_repacked_contents_read_again(packed_zip, tmp_path):
    changed = repack(packed_zip, tmp_path / "changed.zip", {"docs/more.txt": b"more"})
    assert read_bundle(changed).contents["docs/more.txt"] == b"more"
