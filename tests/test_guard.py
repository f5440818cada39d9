"""Segmenting with inference.json and with ensemble.json: no scan of any kind gives a wrong label map, or is lost."""

import os
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from regionwise.errors import InputError
from regionwise.guard import _expand
from regionwise.nifti import read_labels
from regionwise.scans import WRITING

from . import odd_scans
from .packaging.packing import write_run
from .run_bundles.running import Result, Run, arguments, config, evaluate_here, infer_here, run_process

# Files with the voxels of the plain one, in other forms.
SAME_VOXELS = ("float64", "big_endian", "unit_not_said", "unit_with_seconds", "extension", "two_gzip_members")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Return a run with random weights."""
    root = tmp_path_factory.mktemp("run")
    return Run("acdc", root, write_run(root / "run"), root, Result(0, "", ""))


def infer(run, scan, out, **settings):
    return infer_here(run, scan, out, **{"preprocessing#transforms#2#pixdim": [3.0, 3.0, -1], **settings})


def predict(run, scan, out, **settings):
    given = {"input": scan, "tta": "false", "preprocessing#transforms#1#pixdim": [3.0, 3.0, -1], **settings}
    return evaluate_here(run, out, config(run.bundle, "ensemble"), run_id="predicting", **given)


WAYS = {"inference": (infer, "."), "predicting": (predict, "predictions")}


@pytest.fixture(params=WAYS)
def way(request):
    """Return a function that segments, and the folder of its label maps in the output folder."""
    return WAYS[request.param]


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def assert_lies_on(labels, scan):
    found, image = nib.load(labels), nib.load(scan)
    assert found.shape == image.shape
    np.testing.assert_allclose(found.affine, image.affine, atol=1e-4)
    assert set(np.unique(np.asanyarray(found.dataobj))) <= {0, 1, 2, 3}


def test_odd_scans_are_named_and_the_others_segmented(run, tmp_path, way):
    segment, where = way
    folder = tmp_path / "x [1]"
    folder.mkdir()
    scans = {name: folder / f"{name}.nii.gz" for name in (*odd_scans.REFUSED, *odd_scans.USABLE)}
    for name, path in scans.items():
        (odd_scans.REFUSED | odd_scans.USABLE)[name](path)
    (folder / "plain.nii.gz.md5").write_text("no scan")
    before = {path: path.read_bytes() for path in scans.values()}
    result = segment(run, folder, tmp_path / "out")
    refused = [scans[name] for name in sorted(odd_scans.REFUSED)]
    assert result.error.startswith(f"{len(refused)} of {len(scans)} scans were not segmented, first: ")
    lines = [line for line in result.err.splitlines() if line.startswith("not segmented: ")]
    assert len(lines) == len(refused)
    assert all(sum(str(path) in line for line in lines) == 1 for path in refused)
    labels = tmp_path / "out" / where
    assert files_in(tmp_path / "out") == sorted(scans[name].name for name in odd_scans.USABLE)
    for name in odd_scans.USABLE:
        assert_lies_on(labels / scans[name].name, scans[name])
    plain = read_labels(labels / "plain.nii.gz").array
    assert len(np.unique(plain)) > 1, "the test says something only if there is more than background"
    for name in SAME_VOXELS:
        np.testing.assert_array_equal(read_labels(labels / f"{name}.nii.gz").array, plain)
    assert before == {path: path.read_bytes() for path in scans.values()}


@pytest.mark.parametrize("name", ["nan", "half", "four_axes", "text", "affine_sheared"])
def test_one_odd_scan_is_refused_in_one_line_and_nothing_is_written(run, tmp_path, way, name):
    path = tmp_path / "scan.nii.gz"
    odd_scans.REFUSED[name](path)
    result = way[0](run, path, tmp_path / "out")
    assert str(path) in result.error
    assert files_in(tmp_path / "out") == []


def test_a_header_that_contradicts_itself_is_refused_where_the_reader_takes_its_other_half(run, tmp_path):
    """MONAI's reader replaces a sform that pixdim contradicts by the qform: the labels would lie beside the scan."""
    scan = odd_scans.save(tmp_path / "a.nii.gz", srow_z=[0, 0, 0.5, 0])
    found = "found voxels of 1.5 x 1.5 x 0.5 mm by the sform and 1.5 x 1.5 x 3 mm by the pixdim and qform of"
    assert infer(run, scan, tmp_path / "out").error == f"expected one geometry, {found} {scan}; correct its header"
    assert files_in(tmp_path / "out") == []
    assert predict(run, scan, tmp_path / "out").status == 0
    assert_lies_on(tmp_path / "out" / "predictions" / "a.nii.gz", scan)


@pytest.mark.parametrize("overwrite", ["false", "true"])
def test_a_scan_is_never_overwritten(run, tmp_path, way, overwrite):
    segment, where = way
    folder = tmp_path / "D" / where
    folder.mkdir(parents=True)
    scan = odd_scans.save(folder / "a.nii.gz")
    content = scan.read_bytes()
    result = segment(run, folder, tmp_path / "D", overwrite=overwrite)
    assert result.error == f"the label map would overwrite the scan {scan}; pass another --output_dir"
    assert files_in(tmp_path / "D") == ["a.nii.gz"] and scan.read_bytes() == content


def test_two_scans_with_one_name_are_refused_before_the_work(run, tmp_path, way):
    for name in ("a.nii", "a.nii.gz"):
        odd_scans.save(tmp_path / name)
    assert "would both be written to" in way[0](run, tmp_path, tmp_path / "out").error
    assert files_in(tmp_path / "out") == []


def test_an_earlier_result_is_replaced_only_on_demand(run, tmp_path, way):
    segment, where = way
    scan, written = odd_scans.save(tmp_path / "a.nii.gz"), tmp_path / "out" / where / "a.nii.gz"
    written.parent.mkdir(parents=True)
    written.write_bytes(b"earlier")
    message = f"{written.resolve()} exists (1 of 1 outputs do); pass another --output_dir, or --overwrite true"
    assert segment(run, scan, tmp_path / "out").error.replace("/./", "/") == message
    assert written.read_bytes() == b"earlier"
    assert "expected --overwrite to be true or false" in segment(run, scan, tmp_path / "out", overwrite="maybe").error
    assert segment(run, scan, tmp_path / "out", overwrite="true").status == 0
    assert_lies_on(written, scan)


def test_nothing_to_segment_is_one_line(run, tmp_path, way):
    (tmp_path / "empty").mkdir()
    assert "found nothing; pass --input" in way[0](run, tmp_path / "none", tmp_path / "out").error
    assert "expected .nii.gz or .nii files at" in way[0](run, tmp_path / "empty", tmp_path / "out").error
    odd_scans.save(tmp_path / "a.nii.gz")
    (tmp_path / "file").write_text("no folder")
    error = way[0](run, tmp_path / "a.nii.gz", tmp_path / "file").error
    assert error.startswith("expected a folder ") and str(tmp_path / "file") in error


CHECKPOINTS = {
    "missing": (lambda path: None, "expected a checkpoint at"),
    "text": (lambda path: path.write_text("half a file"), "is not a readable checkpoint of tensors ("),
    "pickle": (lambda path: torch.save({"a": os.system}, path), "is not a readable checkpoint of tensors ("),
    "number": (lambda path: torch.save(5, path), "expected the weights of a network in"),
}


@pytest.mark.parametrize("what", CHECKPOINTS)
def test_a_file_that_is_no_checkpoint_is_one_line(run, tmp_path, way, what):
    make, message = CHECKPOINTS[what]
    make(tmp_path / "model.pt")
    scan = odd_scans.save(tmp_path / "a.nii.gz")
    assert message in way[0](run, scan, tmp_path / "out", checkpoint=tmp_path / "model.pt").error
    assert files_in(tmp_path / "out") == []


@pytest.mark.parametrize("what", ["nan", "partial"])
def test_weights_that_would_give_any_labels_are_refused(run, tmp_path, way, what):
    weights = torch.load(run.folder / "model.pt", weights_only=True)
    name = next(iter(weights))
    if what == "nan":
        weights[name] = weights[name] * float("nan")
        message = f"found NaN or infinity in 1 of {len(weights)}, first {name}; train again or take another checkpoint"
    else:
        del weights[name]
        message = f"does not fit the network: 1 weights are missing and 0 unknown, first {name}"
    torch.save(weights, tmp_path / "model.pt")
    scan = odd_scans.save(tmp_path / "a.nii.gz")
    assert message in way[0](run, scan, tmp_path / "out", checkpoint=tmp_path / "model.pt").error
    assert files_in(tmp_path / "out") == []


def test_scores_that_are_not_finite_are_no_label_map(run, tmp_path):
    """Finite weights whose products are not: each scan is named, as a scan that gives finite ones would be kept."""
    weights = torch.load(run.folder / "model.pt", weights_only=True)
    torch.save({name: value.fill_(3e38) for name, value in weights.items()}, tmp_path / "model.pt")
    for name in "ab":
        odd_scans.save(tmp_path / f"{name}.nii.gz")
    result = infer(run, tmp_path, tmp_path / "out", checkpoint=tmp_path / "model.pt")
    assert result.error.startswith("2 of 2 scans were not segmented, first: expected finite scores of the network, ")
    assert files_in(tmp_path / "out") == []
    result = predict(run, tmp_path, tmp_path / "out", checkpoint=tmp_path / "model.pt")
    assert "expected finite scores of the network" in result.error
    assert files_in(tmp_path / "out") == []


def test_a_class_that_is_not_there(run, tmp_path, way):
    result = way[0](run, odd_scans.save(tmp_path / "a.nii.gz"), tmp_path / "out", largest_component="[9]")
    assert "expected --largest_component of classes 1 to 3, found 9" in result.error
    assert files_in(tmp_path / "out") == []


def test_a_datalist_is_taken_as_it_is(run, tmp_path):
    """As tools do that set the items of a dataset; a file in capitals keeps its name."""
    scan = shutil.move(odd_scans.save(tmp_path / "A.nii.gz"), tmp_path / "A.NII.GZ")
    result = infer(run, "nowhere", tmp_path / "out", **{"dataset#data": [{"image": str(scan)}]})
    assert result.status == 0, result.err
    assert files_in(tmp_path / "out") == ["A.nii.gz"]
    assert_lies_on(tmp_path / "out" / "A.nii.gz", scan)


def test_a_list_of_files_is_segmented_file_by_file(run, tmp_path):
    scans = [odd_scans.save(tmp_path / f"{name}.nii.gz") for name in "ab"]
    result = infer(run, [str(scan) for scan in scans], tmp_path / "out")
    assert result.status == 0, result.err
    assert files_in(tmp_path / "out") == ["a.nii.gz", "b.nii.gz"]


def test_a_scan_needs_all_modalities(tmp_path):
    with pytest.raises(InputError, match=r"expected one file each for t2, t1, found 1: \['a_t2\.nii\.gz'\]"):
        _expand({"image": ["a_t2.nii.gz"]}, ("t2", "t1"))
    files = ["a_t2.nii.gz", "a_t1.nii.gz"]
    assert _expand({"image": files}, ("t2", "t1")) == [{"case_id": "a_t2", "image": files}]


def test_what_a_killed_run_left_is_not_visible_and_goes(run, tmp_path):
    scan = odd_scans.save(tmp_path / "a.nii.gz")
    writing = tmp_path / "out" / WRITING
    writing.mkdir(parents=True)
    (writing / "a.nii.gz").write_bytes(b"half")
    result = infer(run, scan, tmp_path / "out")
    assert result.status == 0, result.err
    assert files_in(tmp_path / "out") == ["a.nii.gz"] and not writing.exists()


def test_in_a_process_of_its_own(run, tmp_path):
    """The one line is all there is on stderr."""
    odd_scans.REFUSED["nan"](tmp_path / "a.nii.gz")
    given = {"input": tmp_path / "a.nii.gz", "output_dir": tmp_path / "out", "checkpoint": run.folder / "model.pt"}
    given["args_file"] = run.folder / "network.json"
    result = run_process(*arguments("run", "bundles/acdc_rrw/configs/inference.json", **given))
    assert result.error.startswith("expected finite voxels, found 1 NaN or infinite in ")
    assert "Traceback" not in result.out
