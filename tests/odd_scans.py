"""Scans of every odd kind: those that are to be segmented right, and those that are to be refused in one line."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (24, 28, 16)
AFFINE = np.diag((1.5, 1.5, 3.0, 1.0))


def voxels(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return the intensities of a sphere in noise, int16."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij"))
    noise = np.random.default_rng(0).normal(0, 20, shape)
    return (400 * (np.linalg.norm(grid, axis=0) < 0.6) + 100 + noise).astype(np.int16)


def save(path: Path, array: np.ndarray | None = None, affine: np.ndarray = AFFINE, **header: object) -> Path:
    """Write a scan; header fields are set in the file's bytes, past what nibabel refuses to write."""
    array = voxels() if array is None else array
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    content = bytearray(image.to_bytes())
    fields = nib.nifti1.header_dtype.fields
    for name, value in header.items():
        kind, place = fields[name][:2]
        encoded = np.asarray(value, kind.base).tobytes()
        content[place : place + len(encoded)] = encoded
    path.write_bytes(gzip.compress(bytes(content)) if path.suffix == ".gz" else bytes(content))
    return path


def _changed(index: tuple[int, ...], value: float, dtype: type = np.float32) -> np.ndarray:
    array = voxels().astype(dtype)
    array[index] = value
    return array


def _affine(*changes: tuple[int, int, float]) -> np.ndarray:
    affine = AFFINE.copy()
    for row, column, value in changes:
        affine[row, column] = value
    return affine


def _damage(path: Path, change: Callable[[bytearray], bytes]) -> None:
    path.write_bytes(bytes(change(bytearray(save(path).read_bytes()))))


def _flip(content: bytearray, place: int) -> bytearray:
    content[place] ^= 255
    return content


def _oblique() -> np.ndarray:
    turn = np.deg2rad(20)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    return affine @ AFFINE


RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])

# Name to a function that writes the scan to a path.
REFUSED: dict[str, Callable[[Path], object]] = {
    "nan": lambda p: save(p, _changed((3, 3, 3), np.nan)),
    "inf": lambda p: save(p, _changed((3, 3, 3), np.inf)),
    "minus_inf": lambda p: save(p, _changed((0, 0, 0), -np.inf)),
    "all_nan": lambda p: save(p, np.full(SHAPE, np.nan, np.float32)),
    "float64_1e300": lambda p: save(p, _changed((3, 3, 3), 1e300, np.float64)),
    "values_1e30": lambda p: save(p, _changed((3, 3, 3), 1e30)),
    "slope_1e38": lambda p: save(p, scl_slope=1e38),
    "slope_1e-30": lambda p: save(p, scl_slope=1e-30),
    "offset_nan": lambda p: save(p, scl_slope=1, scl_inter=np.nan),
    "offset_1e30": lambda p: save(p, scl_slope=1, scl_inter=1e30),
    "constant": lambda p: save(p, np.full(SHAPE, 7, np.int16)),
    "zeros": lambda p: save(p, np.zeros(SHAPE, np.int16)),
    "complex64": lambda p: save(p, voxels().astype(np.complex64)),
    "complex128": lambda p: save(p, voxels().astype(np.complex128)),
    "rgb": lambda p: save(p, np.zeros(SHAPE, RGB)),
    "two_axes": lambda p: save(p, voxels()[:, :, 8]),
    "one_axis": lambda p: save(p, voxels()[:, 8, 8]),
    "four_axes": lambda p: save(p, np.stack([voxels()] * 3, -1)),
    "four_axes_one_volume": lambda p: save(p, dim=[4, *SHAPE, 1, 1, 1, 1]),
    "five_axes": lambda p: save(p, np.stack([voxels()] * 3, -1)[..., None, :]),
    "zero_axis": lambda p: save(p, dim=[3, 24, 0, 16, 1, 1, 1, 1]),
    "negative_axis": lambda p: save(p, dim=[3, 24, -28, 16, 1, 1, 1, 1]),
    "eight_axes": lambda p: save(p, dim=[8, *SHAPE, 1, 1, 1, 1]),
    "huge_axes": lambda p: save(p, dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]),
    "larger_than_the_file": lambda p: save(p, dim=[3, 24, 28, 17, 1, 1, 1, 1]),
    "unknown_datatype": lambda p: save(p, datatype=77),
    "datatype_and_bitpix_differ": lambda p: save(p, datatype=64, bitpix=64),
    "no_magic": lambda p: save(p, magic=b"abc"),
    "affine_nan": lambda p: save(p, srow_x=[np.nan, 0, 0, 0], sform_code=1),
    "affine_offset_nan": lambda p: save(p, srow_x=[1.5, 0, 0, np.nan], sform_code=1),
    "affine_inf": lambda p: save(p, srow_z=[0, 0, np.inf, 0], sform_code=1),
    "affine_zero": lambda p: save(p, srow_x=[0] * 4, srow_y=[0] * 4, srow_z=[0] * 4, sform_code=1),
    "affine_singular": lambda p: save(p, srow_x=[1.5, 1.5, 0, 0], srow_y=[0, 0, 0, 0], sform_code=1),
    "affine_sheared": lambda p: save(p, affine=_affine((0, 1, 1.5)), sform_code=1),
    "gantry_tilt": lambda p: save(p, affine=_affine((1, 2, 0.8)), sform_code=1),
    "spacing_1e-6": lambda p: save(p, affine=np.diag((1e-6, 1e-6, 1e-6, 1.0))),
    "spacing_1000": lambda p: save(p, affine=np.diag((1000.0, 1000, 1000, 1))),
    "pixdim_nan": lambda p: save(p, sform_code=0, qform_code=0, pixdim=[1, np.nan, 1, 1, 0, 0, 0, 0]),
    "quaternion_too_long": lambda p: save(p, sform_code=0, qform_code=1, quatern_b=3.0),
    "meters": lambda p: save(p, xyzt_units=1),
    "micrometers": lambda p: save(p, xyzt_units=3),
    "unknown_unit": lambda p: save(p, xyzt_units=7),
    "empty_file": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_bytes(b"this is no scan\n" * 40),
    "not_gzip": lambda p: p.write_bytes(save(p.with_name("plain.nii")).rename(p).read_bytes()),
    "gzip_of_text": lambda p: p.write_bytes(gzip.compress(b"this is no scan\n" * 40)),
    "header_only": lambda p: _damage(p, lambda c: gzip.compress(gzip.decompress(bytes(c))[:352])),
    "half": lambda p: _damage(p, lambda c: c[: len(c) // 2]),
    "no_checksum": lambda p: _damage(p, lambda c: c[:-8]),
    "short_checksum": lambda p: _damage(p, lambda c: c[:-1]),
    "wrong_checksum": lambda p: _damage(p, lambda c: _flip(c, len(c) - 6)),
    "wrong_length": lambda p: _damage(p, lambda c: _flip(c, len(c) - 1)),
    "flipped_bit": lambda p: _damage(p, lambda c: _flip(c, len(c) * 2 // 3)),
    "garbage_after": lambda p: _damage(p, lambda c: c + b"garbage"),
}

USABLE: dict[str, Callable[[Path], object]] = {
    "plain": save,
    "uint8": lambda p: save(p, (voxels() // 4).astype(np.uint8)),
    "float64": lambda p: save(p, voxels().astype(np.float64)),
    "big_endian": lambda p: p.write_bytes(gzip.compress(_swapped())),
    "scaled": lambda p: save(p, scl_slope=0.5, scl_inter=-100),
    "slope_zero_means_none": lambda p: save(p, scl_slope=0, scl_inter=5),
    "unit_not_said": lambda p: save(p, xyzt_units=0),
    "unit_with_seconds": lambda p: save(p, xyzt_units=10),
    "no_form_codes": lambda p: save(p, sform_code=0, qform_code=0),
    "flipped": lambda p: save(p, affine=np.diag((-1.5, -1.5, 3.0, 1.0))),
    "oblique": lambda p: save(p, affine=_oblique()),
    "axes_swapped": lambda p: save(p, affine=AFFINE[[2, 0, 1, 3]]),
    "one_slice": lambda p: save(p, voxels()[:, :, 8:9]),
    "one_row": lambda p: save(p, voxels()[:, 14:15]),
    "one_voxel_wide": lambda p: save(p, voxels()[12:13, 14:15]),
    "wrong_header_size_that_readers_mend": lambda p: save(p, sizeof_hdr=12),
    "negative_values": lambda p: save(p, voxels() - 1000),
    "extension": lambda p: p.write_bytes(gzip.compress(_with_extension())),
    "two_gzip_members": lambda p: p.write_bytes(_in_two_members(save(p).read_bytes())),
}


def _swapped() -> bytes:
    image = nib.Nifti1Image(voxels().astype(">i2"), AFFINE, nib.Nifti1Header(endianness=">"))
    return image.to_bytes()


def _with_extension() -> bytes:
    image = nib.Nifti1Image(voxels(), AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a comment"))
    return image.to_bytes()


def _in_two_members(content: bytes) -> bytes:
    plain = gzip.decompress(content)
    return gzip.compress(plain[:1000]) + gzip.compress(plain[1000:])


def zeros_nifti(dim: tuple[int, ...]) -> bytes:
    """Return a header that announces a shape, with nothing behind it."""
    header = nib.Nifti1Header()
    header["dim"][: len(dim) + 1] = (len(dim), *dim)
    return header.binaryblock + struct.pack("<I", 0)
