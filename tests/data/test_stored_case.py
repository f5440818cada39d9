"""A stored case: what is in it, and that it is written whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from monai.transforms import Compose, Spacingd
from regionwise.data import stored_case
from regionwise.data.load import LoadCased
from regionwise.data.store import preprocess, write_case
from regionwise.distance import normalized_distance
from regionwise.errors import InputError

from ..datasets.cases import SHAPE, blocks, read_only
from ..datasets.cases import write_case as write_files
from .entries import entries


def test_arrays_are_stored_with_the_slice_axis_first(tmp_path, item):
    (case,) = preprocess([item], read_only(), tmp_path / "cache", slice_axis=2)
    image = read_only()(item)["image"][0].numpy()
    assert case.image.shape == (1, 4, 8, 10) and case.image.dtype == np.float16
    assert case.label.shape == (4, 8, 10) and case.label.dtype == np.uint8
    assert np.array_equal(case.image[0], image.transpose(2, 0, 1).astype(np.float16))
    assert np.array_equal(case.label, blocks().transpose(2, 0, 1))
    assert case.labeled_slices.tolist() == [1, 2]
    about = json.loads((case.folder / "case.json").read_text())
    assert about == {"case_id": "a", "shape": [4, 8, 10], "spacing_mm": [5.0, 2.0, 1.0], "slice_axis": 2}


@pytest.mark.parametrize(("axis", "order"), [(0, (0, 1, 2)), (1, (1, 0, 2)), (2, (2, 0, 1))])
def test_the_other_axes_keep_their_order(tmp_path, item, axis, order):
    (case,) = preprocess([item], read_only(), tmp_path / "cache", slice_axis=axis)
    assert case.label.shape == tuple(SHAPE[axis] for axis in order)
    assert np.array_equal(case.label, blocks().transpose(order))


def test_the_distance_is_that_of_the_volume_in_mm(tmp_path, item):
    (case,) = preprocess([item], read_only(), tmp_path / "cache")
    expected = normalized_distance(blocks(), spacing=(2.0, 1.0, 5.0)).transpose(2, 0, 1)
    assert case.distance.dtype == np.float16
    assert np.array_equal(case.distance, expected.astype(np.float16))
    in_voxels = normalized_distance(blocks()).transpose(2, 0, 1)
    assert not np.allclose(case.distance, in_voxels, atol=0.01)


def test_the_distance_is_that_of_the_resampled_labels(tmp_path, item):
    resampled = Compose([LoadCased(), Spacingd(["image", "label"], (2, 2, -1), mode=["bilinear", "nearest"])])
    (case,) = preprocess([item], resampled, tmp_path / "cache")
    assert case.label.shape == (4, 8, 6)  # 10 voxels of 1 mm span 9 mm: 6 of 2 mm from the center of the first
    expected = normalized_distance(np.ascontiguousarray(case.label), spacing=(5.0, 2.0, 2.0))
    assert np.array_equal(case.distance, expected.astype(np.float16))


def test_the_foreground_sample_lies_on_the_labels(tmp_path, item, monkeypatch):
    (case,) = preprocess([item], read_only(), tmp_path / "all")
    assert {label: len(voxels) for label, voxels in case.foreground.items()} == {1: 6 * 7 * 2 - 12, 2: 12}
    monkeypatch.setattr(stored_case, "FOREGROUND_VOXELS_PER_CLASS", 5)
    (case,) = preprocess([item], read_only(), tmp_path / "some")
    for label, voxels in case.foreground.items():
        assert len(np.unique(voxels, axis=0)) == 5
        assert all(case.label[tuple(voxel)] == label for voxel in voxels)
    (again,) = preprocess([item], read_only(), tmp_path / "again")
    assert np.array_equal(again.foreground[1], case.foreground[1])


def test_a_case_without_labels_has_no_foreground(tmp_path):
    item = write_files(tmp_path, "a", np.zeros(SHAPE, np.uint8))
    (case,) = preprocess([item], read_only(), tmp_path / "cache")
    assert case.foreground == {}
    assert case.labeled_slices.tolist() == []
    assert np.all(case.distance == 1)


def test_the_brats_labels_are_class_indices(tmp_path):
    label = blocks()
    label[label == 2] = 4
    item = write_files(tmp_path, "a", label)
    (case,) = preprocess([item], read_only("brats"), tmp_path / "cache")
    assert np.unique(case.label).tolist() == [0, 1, 3]
    assert sorted(case.foreground) == [1, 3]


@pytest.mark.parametrize("write", ["image.npy", "label.npy", "distance.npy", "foreground.npy", "case.json"])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_full_disk_is_one_line_and_leaves_no_half_case(tmp_path, item, monkeypatch, write, num_workers):
    def fail(target, *args, **kwargs):
        if str(target).endswith(write):
            raise OSError(28, "No space left on device")
        return original(target, *args, **kwargs)

    name = "write_json" if write == "case.json" else "_save"
    original = getattr(stored_case, name)
    monkeypatch.setattr(stored_case, name, fail)
    with pytest.raises(InputError, match=r"cannot store .*cache.a-\w+: No space left on device"):
        preprocess([item], read_only(), tmp_path / "cache", num_workers=num_workers)
    assert entries(tmp_path / "cache") == []
    monkeypatch.undo()
    (case,) = preprocess([item], read_only(), tmp_path / "cache")
    assert case.label.shape == (4, 8, 10)


def test_image_and_label_of_a_second_writer_stay_as_the_first_wrote_them(tmp_path, item):
    (case,) = preprocess([item], read_only(), tmp_path / "cache")
    loaded = read_only()(item)
    write_case(case.folder, "a", loaded["image"] + 1, loaded["label"], 2)
    (again,) = preprocess([item], read_only(), tmp_path / "cache")
    assert np.array_equal(again.image[0], loaded["image"][0].numpy().transpose(2, 0, 1).astype(np.float16))
    assert entries(tmp_path / "cache") == [case.folder.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_writing_past_the_end_of_a_disk_is_an_error_not_a_signal():
    with pytest.raises(OSError, match="No space left on device"):
        stored_case._save(Path("/dev/full"), [np.zeros(1_000_000)], np.float16, (1_000_000,))


def test_an_array_is_saved_as_numpy_saves_it(tmp_path):
    array = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float16)
    np.save(tmp_path / "numpy.npy", array)
    stored_case._save(
        tmp_path / "parts.npy", (channel for channel in array.astype(np.float32)), np.float16, array.shape
    )
    assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
