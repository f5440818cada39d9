import nibabel as nib
import numpy as np
import pytest
import torch
from regionwise.inference.save import SaveLabelsd, SaveProbabilitiesd, save_labels

SHAPE = (4, 5, 3)


def write_scan(path, sform_code, qform_code):
    turn = np.deg2rad(10)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine = affine @ np.diag([-1.5, 1.5, 8, 1])
    affine[:3, 3] = (3, -4, 5)
    image = nib.Nifti1Image(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), affine)
    image.set_sform(affine, sform_code)
    image.set_qform(affine, qform_code)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"patient name"
    nib.save(image, path)
    return path


@pytest.mark.parametrize("codes", [(1, 1), (2, 0), (0, 1), (0, 0), (4, 2)])
def test_labels_get_the_geometry_and_the_codes_of_the_scan(tmp_path, codes):
    scan = nib.load(write_scan(tmp_path / "scan.nii.gz", *codes))
    labels = np.arange(60).reshape(SHAPE) % 4
    save_labels(tmp_path / "out" / "labels.nii.gz", labels, tmp_path / "scan.nii.gz")
    saved = nib.load(tmp_path / "out" / "labels.nii.gz")
    assert saved.get_data_dtype() == np.uint8
    assert np.array_equal(np.asanyarray(saved.dataobj), labels)
    assert np.array_equal(saved.affine, scan.affine)
    assert (int(saved.header["sform_code"]), int(saved.header["qform_code"])) == codes
    assert np.array_equal(saved.get_qform(), scan.get_qform())
    assert saved.header.get_zooms() == scan.header.get_zooms()
    assert saved.header.get_xyzt_units() == scan.header.get_xyzt_units()
    assert bytes(saved.header["descrip"]).strip(b"\0") == b""
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["labels.nii.gz"]


def test_labels_of_another_shape_are_not_written(tmp_path):
    scan = write_scan(tmp_path / "scan.nii.gz", 1, 1)
    with pytest.raises(ValueError, match=r"expected labels of shape \(4, 5, 3\) for .*scan\.nii\.gz, got \(4, 5, 2\)"):
        save_labels(tmp_path / "out" / "labels.nii.gz", np.zeros((4, 5, 2)), scan)
    assert not (tmp_path / "out").exists()


def test_the_transforms_name_files_by_case(tmp_path):
    scan = write_scan(tmp_path / "scan.nii.gz", 1, 1)
    scores = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    case = {"case_id": "patient001_frame01", "scan": str(scan), "pred": scores}
    assert SaveProbabilitiesd(str(tmp_path))(case) == case
    case["pred"] = scores.argmax(0, keepdim=True).to(torch.uint8)
    SaveLabelsd("pred", str(tmp_path))(case)
    SaveProbabilitiesd(str(tmp_path / "none"), enabled="false")(case)
    assert not (tmp_path / "none").exists()
    labels = nib.load(tmp_path / "predictions" / "patient001_frame01.nii.gz")
    probabilities = nib.load(tmp_path / "probabilities" / "patient001_frame01.nii.gz")
    assert np.array_equal(np.asanyarray(labels.dataobj), scores.argmax(0).numpy())
    assert probabilities.get_data_dtype() == np.float32
    assert probabilities.shape == (*SHAPE, 3)
    assert np.array_equal(probabilities.get_fdata(dtype=np.float32), np.moveaxis(scores.numpy(), 0, -1))
    assert np.allclose(probabilities.affine, nib.load(scan).affine, atol=1e-5)
