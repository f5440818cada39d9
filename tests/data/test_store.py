"""The store: what makes a new entry, what is in it, and that a half-made one is never read."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose, MapTransform, NormalizeIntensityd, ScaleIntensityd, Spacingd
from regionwise.data import store, stored_case
from regionwise.data.load import LoadCased
from regionwise.data.store import preprocess, settings_of, write_case
from regionwise.distance import normalized_distance
from regionwise.errors import InputError

from ..datasets.cases import SHAPE, blocks, read_only
from ..datasets.cases import write_case as write_files


def entries(cache):
    return sorted(path.name for path in cache.iterdir())


def keys_of(cases):
    return [case.folder.name for case in cases]


@pytest.fixture
def item(tmp_path):
    return write_files(tmp_path / "data", "a")


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


def test_a_case_without_a_name_has_that_of_its_file(tmp_path, item):
    plain = {"image": item["image"], "label": item["label"]}
    (named,) = preprocess([item], read_only(), tmp_path / "cache")
    (case,) = preprocess([plain], read_only(), tmp_path / "cache")
    assert case.case_id == Path(item["image"]).name.removesuffix(".nii.gz")
    assert np.array_equal(case.image, named.image) and np.array_equal(case.distance, named.distance)


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


def test_a_second_run_finds_what_the_first_stored(tmp_path, item, monkeypatch):
    first = preprocess([item], read_only(), tmp_path / "cache")
    monkeypatch.setattr(store, "write_case", None)  # computing again would fail
    assert keys_of(preprocess([item], read_only(), tmp_path / "cache")) == keys_of(first)
    assert entries(tmp_path / "cache") == keys_of(first)


def test_a_copy_of_the_data_elsewhere_has_the_same_key(tmp_path, item):
    elsewhere = write_files(tmp_path / "other" / "place", "a")
    first, second = (preprocess([i], read_only(), tmp_path / "cache") for i in (item, elsewhere))
    assert keys_of(first) == keys_of(second)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("change", ["image", "label"])
def test_a_changed_file_has_another_key(tmp_path, suffix, change):
    before = preprocess([write_files(tmp_path, "a", suffix=suffix)], read_only(), tmp_path / "cache")
    label = blocks()
    if change == "label":
        label[0, 0, 0] = 1
    changed = write_files(tmp_path, "a", label, suffix, seed=1 if change == "image" else 0)
    after = preprocess([changed], read_only(), tmp_path / "cache")
    assert keys_of(before) != keys_of(after)
    assert np.count_nonzero(before[0].label) + (change == "label") == np.count_nonzero(after[0].label)


SETTINGS = {
    "another dataset": (read_only("acdc"), 2),
    "another slice axis": (read_only(), 1),
    "one transform more": (Compose([LoadCased(), NormalizeIntensityd("image")]), 2),
    "a flag of it": (Compose([LoadCased(), NormalizeIntensityd("image", nonzero=True)]), 2),
    "another transform": (Compose([LoadCased(), ScaleIntensityd("image")]), 2),
    "a number of it": (Compose([LoadCased(), ScaleIntensityd("image", maxv=2.0)]), 2),
    "a spacing": (Compose([LoadCased(), Spacingd(["image", "label"], (2, 2, -1), mode=["bilinear", "nearest"])]), 2),
    "another spacing": (
        Compose([LoadCased(), Spacingd(["image", "label"], (2, 1, -1), mode=["bilinear", "nearest"])]),
        2,
    ),
    "another mode": (Compose([LoadCased(), Spacingd(["image", "label"], (2, 1, -1), mode="nearest")]), 2),
}


def test_every_setting_is_part_of_the_key(tmp_path, item):
    keys = {}
    for what, (transform, axis) in {"none": (read_only(), 2), **SETTINGS}.items():
        (case,) = preprocess([item], transform, tmp_path / "cache", axis, progress=False)
        keys[what] = case.folder.name
    assert len(set(keys.values())) == len(keys), keys


def test_another_version_has_another_key(tmp_path, item, monkeypatch):
    first = preprocess([item], read_only(), tmp_path / "cache")
    monkeypatch.setattr(store, "__version__", "0.0.0")
    assert keys_of(preprocess([item], read_only(), tmp_path / "cache")) != keys_of(first)


def test_what_does_not_change_the_result_does_not_change_the_key(tmp_path, item):
    used = read_only()
    used.set_random_state(seed=5)
    used(item)
    renamed = {**item, "group": "ED", "subject_id": "someone"}
    first, second, third = (
        preprocess([i], transform, tmp_path / "cache", num_workers=workers)
        for i, transform, workers in ((item, read_only(), 0), (item, used, 1), (renamed, read_only(), 0))
    )
    assert keys_of(first) == keys_of(second) == keys_of(third)


def test_a_set_is_described_in_one_order():
    """Its own order is that of the words' hashes, which differ between processes."""
    words = [f"word{number}" for number in range(20)]
    assert settings_of(set(words)) == settings_of(frozenset(reversed(words))) == sorted(words)


class Scale:
    def __init__(self, factor):
        self.factor, self._state, self.R = factor, object(), np.random.RandomState(0)


def test_settings_are_described_by_public_values():
    assert settings_of(Scale(2)) == {"Scale": {"R": None, "factor": 2}}
    assert settings_of(Scale(np.float32(2)))["Scale"]["factor"] == "2.0"
    assert settings_of([torch.tensor([1, 2]), np.array([0.5]), torch.float32]) == [[1, 2], [0.5], "torch.float32"]
    assert settings_of(blocks).endswith("cases.blocks")
    assert settings_of(Compose).endswith("Compose")
    with pytest.raises(TypeError, match="no stable description of"):
        settings_of(memoryview(b""))


class Stop(MapTransform):
    """Break off as a full disk or an impatient person does, at the second case."""

    def __init__(self, error):
        super().__init__("image")
        self._error = error

    def __call__(self, data):
        if data["case_id"] == "b":
            raise self._error
        return data


def test_what_was_ready_before_an_interruption_is_used_and_the_rest_is_made(tmp_path):
    items = [write_files(tmp_path / "data", name, seed=seed) for seed, name in enumerate("abc")]
    with pytest.raises(KeyboardInterrupt):
        preprocess(items, Compose([LoadCased(), Stop(KeyboardInterrupt())]), tmp_path / "cache")
    assert [name[0] for name in entries(tmp_path / "cache")] == ["a"]


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


def test_what_a_killed_process_leaves_is_not_read(tmp_path, item):
    left = tmp_path / "cache" / ".writing-abc"
    left.mkdir(parents=True)
    (left / "label.npy").write_bytes(b"half")
    (case,) = preprocess([item], read_only(), tmp_path / "cache")
    assert np.array_equal(case.label, blocks().transpose(2, 0, 1))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_bad_case_is_named_and_the_others_are_kept(tmp_path, num_workers):
    items = [write_files(tmp_path / "data", name, seed=seed) for seed, name in enumerate("abc")]
    (tmp_path / "data" / "b.nii.gz").write_bytes((tmp_path / "data" / "b.nii.gz").read_bytes()[:-30])
    with pytest.raises(
        InputError, match=r"^.*b\.nii\.gz is damaged or truncated \([^\n]*\); re-copy or re-download it$"
    ):
        preprocess(items, read_only(), tmp_path / "cache", num_workers=num_workers)
    assert [name[0] for name in entries(tmp_path / "cache")] == ["a", "c"]


def test_several_bad_cases_are_counted(tmp_path):
    items = [write_files(tmp_path / "data", name, np.full(SHAPE, 9, np.uint8)) for name in "abc"]
    with pytest.raises(InputError, match=r"found 9 in .*a_gt\.nii\.gz \(and 2 more cases, listed above\)$"):
        preprocess(items, read_only(), tmp_path / "cache")


def test_a_missing_file_is_found_before_anything_is_computed(tmp_path):
    items = [write_files(tmp_path / "data", name) for name in "ab"]
    (tmp_path / "data" / "b_gt.nii.gz").unlink()
    with pytest.raises(InputError, match=r"expected a file at .*b_gt\.nii\.gz, not found"):
        preprocess(items, read_only(), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_defect_of_a_transform_keeps_its_traceback(tmp_path, item):
    item_b = write_files(tmp_path / "data", "b")
    with pytest.raises(RuntimeError, match="applying transform"):
        preprocess([item, item_b], Compose([LoadCased(), Stop(ZeroDivisionError("ours"))]), tmp_path / "cache")


def test_cases_come_in_the_order_of_the_datalist(tmp_path):
    items = [write_files(tmp_path / "data", name, seed=seed) for seed, name in enumerate("cab")]
    preprocess(items[1:2], read_only(), tmp_path / "cache")
    assert [case.case_id for case in preprocess(items, read_only(), tmp_path / "cache")] == ["c", "a", "b"]


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


@pytest.mark.parametrize("num_workers", [0, 1])
def test_preprocessing_draws_no_random_numbers(tmp_path, item, num_workers):
    """Or the weights of a network that is built afterwards would depend on what the store held before."""
    before = torch.random.get_rng_state()
    preprocess([item], read_only(), tmp_path / "cache", num_workers=num_workers)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_bad_case_is_listed(tmp_path, capsys):
    items = [write_files(tmp_path / "data", name, seed=seed) for seed, name in enumerate("abc")]
    for name in "ac":
        (tmp_path / "data" / f"{name}.nii.gz").write_bytes(b"no scan")
    with pytest.raises(InputError, match=r"a\.nii\.gz is not a readable .* \(and 1 more cases, listed above\)"):
        preprocess(items, read_only(), tmp_path / "cache", progress=False)
    listed = capsys.readouterr().err.splitlines()
    assert [line.split(" is not")[0].rpartition("/")[2] for line in listed] == ["a.nii.gz", "c.nii.gz"]
    assert all(line.startswith("bad case: ") for line in listed)
