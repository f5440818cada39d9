"""Reading scans and labels: what is accepted, and one line with the file's name for what is not."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from regionwise.errors import InputError
from regionwise.nifti import read_header, read_image, read_labels, write_volume

AFFINE = np.array([[0, 0, 4.0, 1], [0, -1.5, 0, 2], [-2.0, 0, 0, 3], [0, 0, 0, 1]])


def save(path, array, affine=AFFINE):
    nib.save(nib.Nifti1Image(np.asarray(array), affine), path)
    return path


def test_spacing_follows_the_array_axes(tmp_path):
    volume = read_image(save(tmp_path / "a.nii.gz", np.zeros((2, 3, 4), np.int16)))
    assert volume.array.dtype == np.float32
    assert volume.array.shape == (2, 3, 4)
    assert volume.spacing_mm == (2.0, 1.5, 4.0)
    assert np.array_equal(volume.affine, AFFINE)


def test_the_headers_scaling_is_applied(tmp_path):
    image = nib.Nifti1Image(np.array([[[0, 1, 2]]], np.int16), AFFINE)
    image.header.set_slope_inter(0.5, -1)
    nib.save(image, tmp_path / "a.nii")
    assert read_image(tmp_path / "a.nii").array.tolist() == [[[-1, -0.5, 0]]]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0, 1, 2], np.float32, np.uint8),
        ([0, 1, 255], np.int16, np.uint8),
        ([0, 1, 256], np.uint16, np.uint16),
        ([0, 1, 65536], np.int32, np.int64),
    ],
)
def test_labels_are_read_as_the_smallest_type_that_holds_them(tmp_path, values, dtype, expected):
    labels = read_labels(save(tmp_path / "a.nii.gz", np.array(values, dtype).reshape(1, 1, 3))).array
    assert labels.dtype == expected
    assert labels.ravel().tolist() == values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 0.5, 1], "expected integer labels in .*a.nii, found 0.5; is it an image or a probability"),
        ([0, np.nan, 1], "expected integer labels in .*a.nii, found nan"),
        ([0, -1, 1], "expected labels >= 0 in .*a.nii, found -1"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        read_labels(save(tmp_path / "a.nii", np.array(values, np.float32).reshape(1, 1, 3)))


def test_complex_voxels_are_no_labels(tmp_path):
    with pytest.raises(InputError, match="expected one real number per voxel, found complex numbers in"):
        read_labels(save(tmp_path / "a.nii", np.zeros((1, 1, 3), np.complex64)))


@pytest.mark.parametrize("read", [read_header, read_image, read_labels])
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(InputError, match=r"expected a NIfTI file at .*nothing\.nii\.gz, not found"):
        read(tmp_path / "nothing.nii.gz")


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"not a scan"))
    with pytest.raises(InputError, match=r"a.nii.gz is not a readable NIfTI file \(.*\); re-copy or re-download it"):
        read_image(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("bytes_lost", [1, 8, 200])
def test_a_truncated_file_is_refused_down_to_its_checksum(tmp_path, bytes_lost):
    noise = np.random.default_rng(0).integers(0, 1000, (6, 6, 6), dtype=np.int16)
    path = save(tmp_path / "a.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:-bytes_lost])
    with pytest.raises(
        InputError, match=r"a.nii.gz is (damaged or truncated|not a readable NIfTI file) \(.*\); re-copy"
    ):
        read_image(path)


@settings(deadline=None, derandomize=True, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), max_size=4),
    length=st.integers(0, 480),
    compressed=st.booleans(),
)
def test_a_damaged_header_is_one_line_or_reads(tmp_path, changes, length, compressed):
    content = bytearray(save(tmp_path / "good.nii", np.zeros((4, 4, 4), np.int16)).read_bytes()[:length])
    for place, value in changes:
        if place < len(content):
            content[place] = value
    path = tmp_path / ("a.nii.gz" if compressed else "a.nii")
    path.write_bytes(gzip.compress(bytes(content), 1) if compressed else bytes(content))
    try:
        read_image(path)
    except InputError as error:
        assert "\n" not in str(error) and str(path) in str(error)


def test_a_written_volume_reads_back(tmp_path):
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_volume(tmp_path / "out" / "a.nii.gz", labels, AFFINE)
    volume = read_labels(tmp_path / "out" / "a.nii.gz")
    assert np.array_equal(volume.array, labels)
    assert np.allclose(volume.affine, AFFINE)
    header = read_header(tmp_path / "out" / "a.nii.gz").header
    assert (header["sform_code"], header["qform_code"]) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize(("sform_code", "qform_code"), [(1, 1), (2, 0), (0, 1)])
def test_header_codes_and_equal_bytes(tmp_path, sform_code, qform_code):
    affine = np.array([[0, 0, -0.7, 0], [0, -0.7, 0, 0], [-3, 0, 0, 0], [0, 0, 0, 1.0]])
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    for name in ("a", "b"):
        write_volume(tmp_path / name / "imaging.nii.gz", array, affine, codes=(sform_code, qform_code))
    loaded = nib.load(tmp_path / "a" / "imaging.nii.gz")
    assert (int(loaded.header["sform_code"]), int(loaded.header["qform_code"])) == (sform_code, qform_code)
    np.testing.assert_allclose(loaded.affine, affine, atol=1e-6)
    assert (tmp_path / "a" / "imaging.nii.gz").read_bytes() == (tmp_path / "b" / "imaging.nii.gz").read_bytes()
