"""The key of a stored case: what makes another one, and what does not."""

import numpy as np
import pytest
import torch
from monai.transforms import Compose, NormalizeIntensityd, ScaleIntensityd, Spacingd
from regionwise.data import store
from regionwise.data.load import LoadCased
from regionwise.data.store import preprocess, settings_of

from ..datasets.cases import blocks, read_only
from ..datasets.cases import write_case as write_files
from .entries import keys_of


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
