import json

import pytest
from cells import as_record, as_words, slug
from regionwise.errors import InputError
from table import dataset_dir, resolve


def test_cells_are_datasets_times_losses_times_seeds(table):
    study = resolve(table, "small", "/data")
    assert list(study.cells) == [
        "acdc/fold0/rrw/seed0", "acdc/fold0/rrw/seed1", "acdc/fold0/half/seed0", "acdc/fold0/half/seed1",
    ]  # fmt: skip
    rrw, half = study.cells["acdc/fold0/rrw/seed1"], study.cells["acdc/fold0/half/seed1"]
    assert rrw.training["overrides"] == {"epochs": 9, "loss": "rrw", "seed": 1}
    assert half.training["overrides"] == {"epochs": 9, "loss": "rrw:q=0.5", "seed": 1, "learning_rate": 0.01}
    assert study.baseline == "rrw"
    json.dumps(as_record(study))


def test_changing_a_loss_changes_its_cells_only(table):
    before = resolve(table, "small", "/data").cells
    table["presets"]["small"]["losses"][1]["half"]["loss"] = "rrw:q=0.7"
    after = resolve(table, "small", "/data").cells
    changed = [name for name in before if as_words(before[name].training) != as_words(after[name].training)]
    assert changed == ["acdc/fold0/half/seed0", "acdc/fold0/half/seed1"]


def test_folds_are_cells(table):
    table["presets"]["small"]["datasets"]["acdc"] = {"split": {"split": "kfold", "folds": 3, "fold": [0, 2]}}
    study = resolve(table, "small", "/data")
    assert len(study.cells) == 8
    assert [spec["split"]["fold"] for spec in study.datasets.values()] == [0, 2]


def test_phantoms_replace_data_and_size(table):
    real, toy = resolve(table, "small", "/data"), resolve(table, "small", "phantom")
    assert real.cells["acdc/fold0/rrw/seed0"].training["overrides"]["epochs"] == 9
    assert toy.cells["acdc/fold0/rrw/seed0"].training["overrides"]["epochs"] == 2
    assert toy.datasets["acdc/fold0"]["scans"] == {"reader": "acdc", "subjects": 4, "size": 48}
    assert dataset_dir(toy, "acdc") == ""


def test_a_test_folder_is_evaluated_in_place_of_the_held_out_cases(table):
    table["presets"]["small"]["datasets"]["acdc"] = {"test": "testing", "split": {"split": "kfold", "folds": 100}}
    study = resolve(table, "small", "phantom")
    assert study.cells["acdc/fold0/rrw/seed0"].evaluation["test"] == "testing"
    assert study.datasets["acdc/fold0"]["test"] == "testing"
    assert as_record(study)["tests"] == {"acdc": "testing"}
    assert study.datasets["acdc/fold0"]["split"]["folds"] == 4  # as many as the phantom has subjects


def test_names_are_folders():
    assert slug("boundary+dice:gradual") == "boundary+dice-gradual"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": ["rrw", "rrw"]}, "two losses of preset 'small' are called 'rrw': cells need names of their own"),
        ({"losses": ["rrw:q", "rrw-q"]}, "two losses of preset 'small' are called 'rrw-q'"),
        ({"losses": "rrw"}, "expected 'losses' of preset 'small' as a list of losses, got 'rrw'"),
        ({"losses": [{"rrw": {"los": "x"}}]}, "Unknown key 'los' in loss 'rrw' of preset 'small'; did you mean 'loss'"),
        ({"seeds": [0, 1, 0]}, "seed 0 is twice in preset 'small'"),
        ({"seeds": [-1]}, r"expected 'seeds' of preset 'small' as a list of integers from 0 on, got \[-1\]"),
        ({"datasets": {"adcd": {}}}, "Unknown dataset 'adcd' of preset 'small'; did you mean 'acdc'"),
        ({"datasets": {}}, "preset 'small' has no datasets"),
        ({"baseline": "dice"}, "Unknown baseline 'dice' of preset 'small'"),
        ({"setings": {}}, "Unknown key 'setings' in preset 'small'; did you mean 'settings'"),
        ({"datasets": {"acdc": {"split": {"fold": [0, 0]}}}}, "expected 'fold' as a number or a list of different"),
    ],
)
def test_wrong_tables_are_one_line(table, change, message):
    table["presets"]["small"] |= change
    with pytest.raises(InputError, match=message) as error:
        resolve(table, "small", "/data")
    assert "\n" not in str(error.value)


def test_unknown_preset_is_one_line(table):
    with pytest.raises(InputError, match="Unknown preset 'smal'; did you mean 'small'"):
        resolve(table, "smal")
    with pytest.raises(InputError, match="expected the study table as a table of keys and values, got None"):
        resolve(None, "small")


def test_missing_data_are_one_line(table, tmp_path):
    with pytest.raises(InputError, match="preset 'small' needs data: pass --data DIR"):
        dataset_dir(resolve(table, "small"), "acdc")
    with pytest.raises(InputError, match=r"expected a folder with the dataset acdc at .*nowhere, not found$"):
        dataset_dir(resolve(table, "small", str(tmp_path / "nowhere")), "acdc")
    table["presets"]["small"]["datasets"]["kits"] = {}
    (tmp_path / "acdc").mkdir()
    several = resolve(table, "small", str(tmp_path))
    assert dataset_dir(several, "acdc") == str(tmp_path / "acdc")
    with pytest.raises(InputError, match="--data is to hold a folder for each of acdc, kits"):
        dataset_dir(several, "kits")
