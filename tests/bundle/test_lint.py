"""One test for each way in which a configuration can be wrong."""

import json

import pytest
from regionwise.bundle.lint import find_problems, lint
from regionwise.bundle.rules import RULES, find_contradictions, find_value_problems
from regionwise.cli import main

CONFIG = {
    "epochs": 5,
    "loss": "rrw",
    "patch_size": [64, 64],
    "network_def": {"_target_": "DynUNet", "spatial_dims": 2, "in_channels": 1},
    "parts": {"a": {"_target_": "torch.nn.Linear", "in_features": "@epochs", "out_features": 2}},
    "run": ["$@parts#a(@network_def)"],
}


@pytest.fixture
def config(tmp_path):
    def write(content=None, **changes):
        path = tmp_path / "train.json"
        path.write_text(json.dumps({**CONFIG, **changes}) if content is None else content)
        return str(path)

    return write


def test_a_right_configuration_has_no_problems(config, capsys):
    assert lint(config(), epochs=7) == 0
    assert capsys.readouterr().out == "nothing wrong found\n"


def test_each_problem_is_a_line_and_the_status_is_1(config, capsys):
    assert main(["lint", config(), "--epochs", "0", "--loss", "rww", "--epohcs", "3"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)


def test_a_missing_file_names_the_one_that_was_meant(config):
    path = config()
    (problem,) = find_problems([path.replace("train", "trian")], {})
    assert problem.endswith("trian.json, found none; did you mean 'train.json'? choices: train.json")


def test_what_is_no_json(config):
    (problem,) = find_problems([config("{'epochs': 5}")], {})
    assert "train.json is not JSON (Expecting property name" in problem


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("epoch", "did you mean 'epochs'?"),
        ("network_def#in_chanels", "did you mean 'network_def#in_channels'?"),
        ("parts::a::in_feature", "did you mean 'parts#a#in_features'?"),
        ("zzz", "nothing there has a name like it; check the spelling"),
    ],
)
def test_an_override_of_what_is_not_there(config, key, suggestion):
    path = config()
    assert find_problems([path], {key: 3}) == [f"there is no id '{key}' in {path}; {suggestion}"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("DynUNett", "network_def: _target_ 'DynUNett' does not exist; did you mean 'DynUNet'?"),
        ("torch.nn.Linaer", "network_def: _target_ 'torch.nn.Linaer' does not exist; did you mean 'Linear'?"),
        ("regionwise.losses.make_los", "does not exist; did you mean 'make_loss'?"),
        ("nowhere.Zzzqq", "_target_ 'nowhere.Zzzqq' does not exist; nothing there has a name like it"),
    ],
)
def test_a_target_that_does_not_exist(config, target, message):
    (problem,) = find_problems([config()], {"network_def": {"_target_": target}})
    assert message in problem


def test_an_argument_that_a_target_does_not_take(config):
    (problem,) = find_problems([config()], {"network_def": {"_target_": "DynUNet", "in_chanels": 1}})
    assert problem.startswith("network_def: DynUNet takes no argument 'in_chanels'; did you mean 'in_channels'?")


def test_a_reference_that_leads_nowhere(config):
    problems = find_problems([config(run=["$@network_deff(@parts#b)"])], {})
    assert problems == [
        "run#0: reference '@network_deff' leads nowhere; did you mean 'network_def'?",
        "run#0: reference '@parts::b' leads nowhere; did you mean 'parts'?",
    ]


def test_references_that_lead_in_a_circle(config):
    (problem,) = find_problems([config(a="@b", b={"c": "$len(@a)"})], {})
    assert problem == "references lead in a circle: @a -> @b -> @a"


def test_an_expression_that_is_none(config):
    (problem,) = find_problems([config(a="$@epochs[")], {})
    assert problem.startswith("a: '$@epochs[' is no Python expression (")


def test_a_macro_that_leads_nowhere(config):
    (problem,) = find_problems([config(a="%nope")], {})
    assert problem.startswith("a macro (%) cannot be read: ")


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("map", "--distance precomputed (was volume) or on_the_fly (was batch)"),
        ("mirror", "--tta"),
        ("spatial_dims", "it is the number of --patch_size's axes; see configs/spatial_3d.json or spatial_2d.json"),
        ("world_size", "torchrun and configs/multi_gpu.json"),
    ],
)
def test_an_id_of_earlier_names_its_place(config, key, place):
    path = config()
    assert find_problems([path], {key: 1}) == [f"there is no id '{key}' in {path} any more: {place}"]


def test_a_target_of_earlier_names_its_place(config):
    old = {"_target_": "regionwise.data.datalist", "dataset": "acdc"}
    assert find_problems([config(data=old)], {}) == [
        "data: _target_ 'regionwise.data.datalist' is no more; now: regionwise.datasets.datalist"
    ]


def test_channels_that_are_not_those_of_the_metadata(config, tmp_path):
    path = config(num_classes=4)
    channels = {"inputs": {"image": {"num_channels": 1}}, "outputs": {"pred": {"num_channels": 4}}}
    (tmp_path / "metadata.json").write_text(json.dumps({"network_data_format": channels}))
    assert find_problems([path], {}) == []
    assert find_problems([path], {"network_def#in_channels": 2, "num_classes": 3}) == [
        "expected --network_def#in_channels 1, the channels of metadata.json, found 2",
        "expected --num_classes 4, the channels of metadata.json, found 3",
    ]


def test_a_transform_that_cannot_be_made(config):
    spacing = {"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1, 1]}
    path = config(preprocessing={"_target_": "Compose", "transforms": [spacing]})
    assert find_problems([path], {}) == []
    (problem,) = find_problems([path], {"preprocessing#transforms#0#pixdim": "abc"})
    assert problem.startswith("preprocessing#transforms#0: Spacingd does not take pixdim 'abc' (could not convert")


def test_the_first_of_several_files_may_be_changed_by_the_second(config, tmp_path):
    (tmp_path / "more.json").write_text(json.dumps({"epochs": -1}))
    assert find_problems([config(), str(tmp_path / "more.json")], {}) == [
        "expected --epochs to be an integer >= 1, found -1"
    ]


BAD_VALUES = {
    "bundle_root": ["", True],
    "dataset_dir": ["", [], True],
    "output_dir": ["", " ", False, ["a"], None],
    "cache_dir": [""],
    "input": ["", None],
    "checkpoint": [5, [], [5], None, ""],
    "device": ["gpu", "cuda:99", 3.5],
    "seed": [-1, "abc"],
    "split": [3, "", None],
    "section": [3, ""],
    "fold": [-1],
    "folds": [1],
    "epochs": [0, -3, 1.5, "ten", True, None],
    "iterations_per_epoch": [0],
    "val_interval": [0],
    "learning_rate": [0, -1e-4, "fast", float("nan"), float("inf"), True],
    "gradient_norm": [0],
    "loss": [["rrw"], 3, None],
    "class_weights": [2, [], [1, 0], [1, "2"], [1, float("nan")]],
    "distance": ["slice", "volume", [], None],
    "num_workers": [-1],
    "amp": ["no", 1],
    "resume": ["yes", 1],
    "max_minutes": [0, -1, "soon"],
    "patience": [0, 1.5],
    "gradient_signs": ["often"],
    "num_classes": ["abc", 1, 300],
    "slice_axis": [7, -1, "abc", True, 1.0],
    "patch_size": [64, [], [64, 0], [64.5], "big", [64], [64, 64, 64, 64]],
    "batch_size": [0, "all"],
    "foreground_fraction": [-0.1, 1.1, "half", False],
    "filters": [8, [], ["8"], [[8]]],
    "kernel_size": [3, [2, 2], [3, [3, 3]], [[3, 3], [3]], ["3"]],
    "upsampling": [2, [[2, 2], [0, 1]], [[2, 2, 2], 2, 2], [[2, 2], [2, 2, 2]]],
    "tta": ["no", 0],
    "probabilities": [3],
    "save_probabilities": ["x"],
    "largest_component": [1, ["a"], [0]],
    "protocol": ["papre", []],
    "regions": ["foo", 3, []],
    "train#dataset#labelled_slices_only": [None],
    "train#trainer#compile": ["true", 0],
}


def test_every_rule_is_tested():
    assert BAD_VALUES.keys() == RULES.keys()


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_value_of_the_wrong_kind_or_out_of_range(name):
    for value in BAD_VALUES[name]:
        problems = find_value_problems({name: value})
        assert problems == [f"expected --{name} to be {RULES[name][0]}, found {value!r}"]


GOOD_VALUES = {
    "output_dir": ["out", 5, 2.5],  # the runner reads a number where a folder is called like one
    "dataset_dir": [None, "data"],
    "resume": [True, "true", "False", "TRUE"],  # the runner keeps true and false as text
    "amp": ["auto", "true", False],
    "max_minutes": [None, 0.5],
    "patience": [None, 1],
    "foreground_fraction": [0, 0.33, 1],
    "distance": ["precomputed", "on_the_fly"],
    "loss": ["rrw", "rrw+dice:gradual"],
    "class_weights": [None, [1, 2.5], (1, 3)],
    "device": ["cpu"],
    "checkpoint": ["a.pt", ["a.pt", "b.pt"]],
    "largest_component": [[], [1, 2]],
    "protocol": ["full", "paper"],
    "regions": [None, "brats"],
    "slice_axis": [0, 1, 2],
    "patch_size": [[64, 64], (64, 64, 8)],
    "kernel_size": [[3, 3], [[3, 1], [3, 3]]],
    "epochs": ["$2 * 3", "@other", 1],
}


@pytest.mark.parametrize("name", GOOD_VALUES)
def test_values_that_are_right(name):
    for value in GOOD_VALUES[name]:
        assert find_value_problems({name: value}) == []


def test_a_wrong_loss_says_which_there_are():
    (problem,) = find_value_problems({"loss": "rww"})
    assert problem.startswith("Unknown loss 'rww'; did you mean 'rrw'? choices: rrw, ")


def test_class_weights_fit_the_loss_and_the_classes():
    assert find_value_problems({"loss": "rrw", "class_weights": [1, 2, 2], "num_classes": 3}) == []
    (problem,) = find_value_problems({"loss": "rrw", "class_weights": [1, 2], "num_classes": 3})
    assert problem == "expected --class_weights of 3 numbers, one per class, found [1, 2]"
    (problem,) = find_value_problems({"loss": "dice", "class_weights": [1, 2, 2], "num_classes": 3})
    assert problem == "Loss 'dice' has no region-wise map, so class_weights would do nothing: leave it out"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"split": "paper"},
            "expected --fold 0 with --split paper, which has one division, found 9; folds are for kfold",
        ),
        ({"split": "kfold", "folds": 5}, "expected fold to be 0..4 (folds is 5), found 9"),
    ],
)
def test_a_fold_that_the_split_does_not_have(changes, message):
    assert find_contradictions({"fold": 9, **changes}) == [message]
    assert find_contradictions({"fold": 0, **changes}) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"regions": "brats", "data#dataset": "acdc"},
            "expected --regions null for the classes of acdc, found 'brats', regions of another dataset",
        ),
        (
            {"largest_component": [1, 9], "network_def#out_channels": 4},
            "expected --largest_component of classes 1 to 3, found 9",
        ),
    ],
)
def test_classes_that_the_dataset_does_not_have(config, message):
    assert find_contradictions(config) == [message]
    assert find_contradictions({**config, "data#dataset": "brats", "network_def#out_channels": 10}) == []


NETWORK = {
    "network_def": {"_target_": "DynUNet", "filters": "@filters"},
    "patch_size": [64, 48],
    "filters": [8, 16, 32, 64],
    "kernel_size": [3, 3, 3, 3],
    "upsampling": [2, 2, 2],
}


def test_a_network_whose_ids_fit_together():
    assert find_contradictions(NETWORK) == []
    assert find_contradictions({"network_def": {}}) == []
    assert find_contradictions({**NETWORK, "upsampling": [[2, 1]] * 3, "patch_size": [64, 7]}) == []


def test_another_network_is_not_held_to_the_rules_of_a_dynunet():
    other = {"_target_": "UNet", "channels": [8, 16], "strides": [2]}
    assert find_contradictions({**NETWORK, "network_def": other, "patch_size": [64, 44]}) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"upsampling": [2, 2]}, "expected --upsampling of at least 3 steps (deep supervision), found [2, 2]"),
        ({"filters": [8, 16]}, "expected --filters of 4 entries, one more than --upsampling, found [8, 16]"),
        ({"kernel_size": [3] * 5}, "expected --kernel_size of 4 entries, one more than --upsampling"),
        ({"kernel_size": [[3] * 3] * 4}, "expected --kernel_size of 2 numbers per level, as --patch_size has, found"),
        ({"upsampling": [[2] * 3] * 3}, "expected --upsampling of 2 numbers per level, as --patch_size has, found"),
        ({"patch_size": [64, 44]}, "expected --patch_size divisible by its poolings, 8 on axis 1, found 44"),
    ],
)
def test_a_network_whose_ids_contradict_each_other(changes, message):
    (problem,) = find_contradictions({**NETWORK, **changes})
    assert problem.startswith(message)
