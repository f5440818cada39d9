"""The store: what is made again, and that a half-made entry is never read."""

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose, MapTransform
from regionwise.data import store
from regionwise.data.load import LoadCased
from regionwise.data.store import preprocess
from regionwise.errors import InputError

from ..datasets.cases import SHAPE, blocks, read_only
from ..datasets.cases import write_case as write_files
from .entries import entries, keys_of


def test_a_case_without_a_name_has_that_of_its_file(tmp_path, item):
    plain = {"image": item["image"], "label": item["label"]}
    (named,) = preprocess([item], read_only(), tmp_path / "cache")
    (case,) = preprocess([plain], read_only(), tmp_path / "cache")
    assert case.case_id == Path(item["image"]).name.removesuffix(".nii.gz")
    assert np.array_equal(case.image, named.image) and np.array_equal(case.distance, named.distance)


def test_a_second_run_finds_what_the_first_stored(tmp_path, item, monkeypatch):
    first = preprocess([item], read_only(), tmp_path / "cache")
    monkeypatch.setattr(store, "write_case", None)  # computing again would fail
    assert keys_of(preprocess([item], read_only(), tmp_path / "cache")) == keys_of(first)
    assert entries(tmp_path / "cache") == keys_of(first)


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
