"""Finding scans to segment, and files for their label maps that overwrite nothing."""

import os

import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.geometry import find_header_problems
from regionwise.nifti import read_header
from regionwise.scans import WRITING, CheckedScans, check_folder, check_outputs, find_scan_problems, find_scans

from . import odd_scans

MODALITIES = ("t2", "t1")


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def test_scans_of_a_folder_are_listed_by_name(tmp_path):
    others = ("a.nii.gz.md5", ".hidden.nii.gz", "._a.nii.gz", "notes.txt", "sub/c.nii.gz")
    folder = touch(tmp_path / "x [1]", "b.nii", "a.nii.gz", "C.NII.GZ", *others)
    scans = find_scans(str(folder))
    assert [scan["case_id"] for scan in scans] == ["C", "a", "b"]
    assert scans[1] == {"case_id": "a", "image": str(folder / "a.nii.gz")}
    assert find_scans(str(folder / "b.nii")) == scans[2:]


@pytest.mark.parametrize("where", [".", "HGG/x", "HGG"])
def test_modalities_make_one_scan(tmp_path, where):
    folder = touch(tmp_path, "HGG/x/x_t1.nii.gz", "HGG/x/x_t2.nii.gz", "HGG/x/x_seg.nii.gz").joinpath(where)
    if where == ".":
        folder = tmp_path / "HGG" / "x" / "x_t1.nii.gz"
    expected = [str(tmp_path / "HGG" / "x" / f"x_{one}.nii.gz") for one in MODALITIES]
    assert find_scans(str(folder), MODALITIES) == [{"case_id": "x", "image": expected}]


@pytest.mark.parametrize(
    ("names", "given", "modalities", "message"),
    [
        ([], "", None, "expected a scan or a folder of scans at '', found nothing; pass --input"),
        ([], "nowhere", None, "expected a scan or a folder of scans at '.*nowhere', found nothing"),
        (["notes.txt"], ".", None, r"expected \.nii\.gz or \.nii files at .*, found none"),
        (["a.nii.gz"], ".", MODALITIES, r"expected files that end in _t2\.nii\.gz, _t1\.nii\.gz at .*, found none"),
        (["a_t1.nii", "a_t1.nii.gz"], ".", MODALITIES, r"expected one file, found .*a_t1\.nii\.gz and .*a_t1\.nii;"),
    ],
)
def test_nothing_to_segment_is_one_line(tmp_path, names, given, modalities, message):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=message):
        find_scans(str(tmp_path / given) if given else given, modalities)


def scan(path):
    return {"case_id": "x", "image": str(path)}


def test_two_scans_with_one_output_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"in/a\.nii and in/a\.nii\.gz would both be written to .*a\.nii\.gz; rename"):
        check_outputs([scan("in/a.nii"), scan("in/a.nii.gz")], 2 * [tmp_path / "a.nii.gz"])


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("link", [None, "folder", "file"])
def test_a_scan_is_never_overwritten(tmp_path, overwrite, link):
    source = touch(tmp_path / "in", "a.nii.gz")
    out = source
    if link == "folder":
        out = tmp_path / "out"
        out.symlink_to(source)
    elif link == "file":
        out = tmp_path / "out"
        out.mkdir()
        os.link(source / "a.nii.gz", out / "a.nii.gz")
    with pytest.raises(InputError, match=r"the label map would overwrite the scan .*a\.nii\.gz; pass another"):
        check_outputs([scan(source / "a.nii.gz")], [out / "a.nii.gz"], overwrite)


def test_no_modality_of_a_scan_is_overwritten(tmp_path):
    touch(tmp_path, "x_t1.nii.gz", "x_t2.nii.gz")
    found = find_scans(str(tmp_path), MODALITIES)
    with pytest.raises(InputError, match=r"the label map would overwrite the scan .*x_t1\.nii\.gz; pass another"):
        check_outputs(found, [tmp_path / "x_t1.nii.gz"], overwrite=True)


def test_an_earlier_result_is_overwritten_only_on_demand(tmp_path):
    source, out = touch(tmp_path / "in", "a.nii.gz", "b.nii.gz"), touch(tmp_path / "out", "b.nii.gz")
    scans = [scan(source / "a.nii.gz"), scan(source / "b.nii.gz")]
    outputs = [out / "a.nii.gz", out / "b.nii.gz"]
    with pytest.raises(InputError, match=r"b\.nii\.gz exists \(1 of 2 outputs do\); pass another --output_dir"):
        check_outputs(scans, outputs)
    check_outputs(scans, outputs, overwrite=True)


def test_a_scan_that_cannot_be_segmented_does_not_hide_the_others(tmp_path, capsys):
    odd_scans.REFUSED["nan"](tmp_path / "a.nii.gz")
    odd_scans.save(tmp_path / "b.nii.gz")
    odd_scans.REFUSED["text"](tmp_path / "c.nii.gz")
    checked = CheckedScans(find_scans(str(tmp_path)))
    assert [one["case_id"] for one in checked.usable] == ["b"]
    assert capsys.readouterr().err.splitlines() == [f"not segmented: {problem}" for problem in checked.problems]
    with pytest.raises(InputError, match=r"^2 of 3 scans were not segmented, first: expected finite .*a\.nii\.gz"):
        checked.finish()


def test_scans_none_of_which_can_be_segmented_end_the_run(tmp_path, capsys):
    odd_scans.REFUSED["nan"](tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"^expected finite voxels"):
        CheckedScans(find_scans(str(tmp_path)))
    assert capsys.readouterr().err == "", "the error says it"


@pytest.mark.parametrize("given", ["", " ", None, True])
def test_what_names_no_folder_is_refused(given):
    with pytest.raises(InputError, match="expected --output_dir to name a folder, found"):
        check_folder(given)


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_in_place_of_the_folder_is_refused(tmp_path, below):
    touch(tmp_path, "out")
    with pytest.raises(InputError, match=r"expected a folder for the label maps, found the file .*out; pass another"):
        check_folder(tmp_path / "out" / below)


def test_what_a_killed_run_left_is_removed_and_what_another_run_writes_stays(tmp_path):
    touch(tmp_path / WRITING, "old.nii.gz", "new.nii.gz")
    os.utime(tmp_path / WRITING / "old.nii.gz", (0, 0))
    assert check_folder(str(tmp_path)) == tmp_path
    assert [path.name for path in (tmp_path / WRITING).iterdir()] == ["new.nii.gz"]
    assert not (check_folder(tmp_path / "new" / "folder")).exists(), "made when the first label map is written"


@pytest.mark.parametrize("name", odd_scans.REFUSED)
def test_an_odd_scan_is_refused_in_one_line(tmp_path, name):
    path = tmp_path / "scan.nii.gz"
    odd_scans.REFUSED[name](path)
    (problem,) = find_scan_problems(str(path))
    assert str(path) in problem
    assert "\n" not in problem


@pytest.mark.parametrize("name", odd_scans.USABLE)
def test_a_usable_scan_has_no_problems(tmp_path, name):
    path = tmp_path / "scan.nii.gz"
    odd_scans.USABLE[name](path)
    assert find_scan_problems(str(path)) == []
    assert find_header_problems(read_header(path), path) == []


def test_modalities_on_two_grids_are_refused(tmp_path):
    odd_scans.save(tmp_path / "x_t2.nii.gz")
    odd_scans.save(tmp_path / "x_t1.nii.gz", affine=odd_scans.AFFINE @ np.diag((-1, 1, 1, 1)))
    (problem,) = find_scan_problems([str(tmp_path / f"x_{one}.nii.gz") for one in MODALITIES])
    assert problem.startswith("expected one affine in a case, found")
