"""The geometry check: one line with the file's name for each kind of header and array that is refused."""

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regionwise.errors import InputError
from regionwise.geometry import (
    Grid,
    find_affine_problems,
    find_grid_problems,
    find_header_problems,
    find_value_problems,
    largest_move_voxels,
)
from regionwise.nifti import read_image, read_labels

PATH = Path("scan.nii.gz")
AFFINE = np.diag((1.5, 1.5, 8.0, 1.0))


def header_problems(array, affine=AFFINE, unit=None, **options):
    image = nib.Nifti1Image(array, affine)
    if unit is not None:
        image.header["xyzt_units"] = unit
    return find_header_problems(image, PATH, **options)


def sheared(cosine):
    """Return an affine whose second axis leans toward the first."""
    affine = np.eye(4)
    affine[:2, 1] = cosine, np.sqrt(1 - cosine**2)
    return affine


def test_a_sound_header_has_no_problems():
    assert header_problems(np.zeros((4, 4, 3), np.int16)) == []


@pytest.mark.parametrize("unit", [0, 2, 2 + 8, 24])
def test_millimeters_and_unknown_units_are_accepted_whatever_the_unit_of_time(unit):
    assert header_problems(np.zeros((4, 4, 3), np.int16), unit=unit) == []


@pytest.mark.parametrize(
    ("unit", "found"), [(1, "meters"), (3, "micrometers"), (1 + 8, "meters"), (6, "unknown code 6")]
)
def test_other_units_are_refused(unit, found):
    (problem,) = header_problems(np.zeros((4, 4, 3), np.int16), unit=unit)
    assert problem.startswith("expected millimeters, found ") and found in problem and "scan.nii.gz" in problem


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3, 2), (4, 4, 3, 1), (4, 0, 3)])
def test_a_scan_has_three_axes_with_voxels(shape):
    assert f"expected a 3-D image, found shape {shape} in scan.nii.gz" in header_problems(np.zeros(shape, np.int16))[0]


def test_a_time_series_is_named_as_such():
    (problem,) = header_problems(np.zeros((2, 2, 2, 3), np.int16))
    assert problem.endswith("; is it a time series or a probability map?")


def test_label_maps_may_have_two_axes():
    flat = np.diag((1.0, 1, 0, 1))
    assert find_affine_problems(Grid((4, 4), flat, PATH)) == []
    assert header_problems(np.zeros((4, 4), np.uint8), ndims=(2, 3)) == []


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_voxels_are_real_numbers(dtype):
    (problem,) = header_problems(np.zeros((2, 2, 2), dtype))
    assert problem.startswith("expected one real number per voxel, found co")


@pytest.mark.parametrize(
    ("diagonal", "message"),
    [
        ((1.5, 1.5, 0), "found 1.5 x 1.5 x 0 mm"),
        ((0.0015, 0.0015, 0.008), "found 0.0015 x 0.0015 x 0.008 mm"),
        ((1.5, 1.5, 800), "expected voxel sizes of 0.05-20 mm, found 1.5 x 1.5 x 800 mm in scan.nii.gz"),
        ((np.nan, 1, 1), "expected a finite affine, found NaN or infinity in scan.nii.gz"),
        ((1, np.inf, 1), "expected a finite affine, found NaN or infinity in scan.nii.gz"),
    ],
)
def test_absurd_voxel_sizes(diagonal, message):
    (problem,) = find_affine_problems(Grid((4, 4, 3), np.diag((*diagonal, 1.0)), PATH))
    assert message in problem


@pytest.mark.parametrize("place", [(0, 3), (2, 3), (1, 0)])
def test_one_nan_in_an_affine_is_enough(place):
    affine = AFFINE.copy()
    affine[place] = np.nan
    assert find_affine_problems(Grid((4, 4, 3), affine, PATH)) != []


def test_a_singular_affine():
    affine = np.eye(4)
    affine[:3, 1] = affine[:3, 0]
    (problem,) = find_affine_problems(Grid((4, 4, 3), affine, PATH))
    assert problem == "expected axes that span a volume, found a singular affine in scan.nii.gz"


def test_shear_is_refused_above_its_tolerance():
    assert find_affine_problems(Grid((4, 4, 3), sheared(0.9e-3), PATH)) == []
    (problem,) = find_affine_problems(Grid((4, 4, 3), sheared(1.1e-3), PATH))
    assert problem.startswith("expected axes at right angles, found a sheared affine (89.94 degrees) in scan.nii.gz")


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rotations_and_flips_are_no_shear_and_distances_within_the_tolerance_are_right(seed):
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = rotation * random.uniform(0.06, 19, 3)
    assert find_affine_problems(Grid((4, 4, 3), affine.astype(np.float32).astype(float), PATH)) == []
    lean = np.eye(4)
    lean[:3, :3] += random.uniform(-4e-4, 4e-4, (3, 3)) * (1 - np.eye(3))
    grid = Grid((4, 4, 3), lean, PATH)
    assert find_affine_problems(grid) == []
    step = random.normal(size=3)
    assert np.linalg.norm(lean[:3, :3] @ step) == pytest.approx(np.linalg.norm(grid.spacing_mm * step), rel=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 1, np.nan], "expected finite voxels, found 1 NaN or infinite in scan.nii.gz"),
        ([0, np.inf, -np.inf], "expected finite voxels, found 2 NaN or infinite in scan.nii.gz"),
        ([5, 5, 5], "expected an image, found 5 in every voxel of scan.nii.gz"),
        ([0, 1e20, 0], "expected the values of a scan, found 0 to 1e+20 in scan.nii.gz; is its scl_slope right?"),
        ([0, 1e-20, 0], "expected the values of a scan, found 0 to 1e-20 in scan.nii.gz; is its scl_slope right?"),
    ],
)
def test_values_that_no_scan_has(values, message):
    assert find_value_problems(np.array(values, np.float32), PATH) == [message]


def test_a_move_is_the_farthest_corner_in_voxels():
    moved = AFFINE.copy()
    moved[2, 3] = 12
    assert largest_move_voxels(moved, AFFINE, (4, 4, 3)) == 12 / 1.5
    flipped = AFFINE @ np.diag((-1, 1, 1, 1))
    assert largest_move_voxels(flipped, AFFINE, (4, 4, 3)) == 6, "voxel 3 at -4.5 instead of 4.5 mm"
    assert largest_move_voxels(AFFINE, AFFINE, (4, 4)) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_affine_that_is_not_finite_is_never_the_same_geometry(value):
    broken = AFFINE.copy()
    broken[0, 3] = value
    for one, other in ((broken, AFFINE), (AFFINE, broken), (broken, broken)):
        assert find_grid_problems(Grid((4, 4, 3), one, PATH), Grid((4, 4, 3), other, PATH)) != []


def header_bytes(shape, **fields):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header["dim"][: len(shape) + 1] = (len(shape), *shape)
    header["pixdim"][1:4] = 1
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + struct.pack("<I", 0)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("read", [read_image, read_labels])
def test_voxels_that_the_file_cannot_hold_are_never_allocated(tmp_path, suffix, read):
    content = header_bytes((32767, 32767, 32767)) + bytes(100)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == ".nii.gz" else content)
    with pytest.raises(InputError, match=r"damaged or truncated \(shape \(32767, 32767, 32767\) needs \d+ bytes, the"):
        read(path)


def test_more_voxels_than_memory_are_one_line(tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(header_bytes((64, 64, 64)) + bytes(64**3 * 2)))
    monkeypatch.setattr("regionwise.voxels._memory_bytes", lambda: 1000)
    with pytest.raises(InputError, match=r"a.nii.gz needs .* GiB of memory, found"):
        read_image(path)


def test_what_a_stream_holds_beyond_the_voxels_is_checked_but_not_kept(tmp_path):
    content = header_bytes((2, 2, 2)) + np.arange(8, dtype=np.int16).tobytes() + bytes(5 << 20)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(content))
    assert read_image(path).array.max() == 7
    damaged = bytearray(path.read_bytes())
    damaged[-6] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"damaged or truncated .*re-copy or re-download it"):
        read_image(path)
