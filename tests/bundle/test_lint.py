"""One test for each way in which a configuration can be wrong."""

import json

import pytest
from regionwise.bundle.lint import find_problems, lint
from regionwise.bundle.rules import RULES, wrong_network, wrong_values
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


def test_the_first_of_several_files_may_be_changed_by_the_second(config, tmp_path):
    (tmp_path / "more.json").write_text(json.dumps({"epochs": -1}))
    assert find_problems([config(), str(tmp_path / "more.json")], {}) == [
        "expected --epochs to be an integer >= 1, found -1"
    ]


BAD_VALUES = {
    "epochs": [0, -3, 1.5, "ten", True, None],
    "iterations_per_epoch": [0],
    "val_interval": [0],
    "batch_size": [0, "all"],
    "num_workers": [-1],
    "seed": [-1, "abc"],
    "fold": [-1],
    "folds": [1],
    "learning_rate": [0, -1e-4, "fast", float("nan")],
    "max_minutes": [0, -1, "soon"],
    "patience": [0, 1.5],
    "rank": [-1],
    "world_size": [0],
    "gradient_norm": [0],
    "foreground_fraction": [-0.1, 1.1, "half"],
    "spatial_dims": [1, 4, [2], "two"],
    "map": ["slice", [], None],
    "loss": [["rrw"], 3, None],
    "class_weights": [2, [], [1, 0], [1, "2"]],
    "device": ["gpu", "cuda:99", 3.5],
    "resume": ["yes", 1],
    "amp": ["no"],
    "amp_dtype": ["float99", 16],
    "compile": [0],
    "gradient_signs": ["often"],
    "mirror": ["no", 0],
    "probabilities": [3],
    "save_probabilities": ["x"],
    "checkpoint": [5, [], [5], None],
    "protocol": ["papre", []],
    "regions": ["foo", 3, []],
    "labelled_slices_only": [None],
    "patch_size": [64, [], [64, 0], [64.5], "big"],
    "filters": [8, [], ["8"]],
    "kernel_size": [3],
    "upsampling": [2, [[2, 2], [0, 1]]],
}


def test_every_rule_is_tested():
    assert BAD_VALUES.keys() == RULES.keys()


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_value_of_the_wrong_kind_or_out_of_range(name):
    for value in BAD_VALUES[name]:
        problems = wrong_values({name: value})
        assert problems == [f"expected --{name} to be {RULES[name][0]}, found {value!r}"]


GOOD_VALUES = {
    "resume": [True, "true", "False"],  # the runner keeps true and false as text
    "max_minutes": [None, 0.5],
    "patience": [None, 1],
    "foreground_fraction": [0, 0.33, 1],
    "spatial_dims": [2, 3],
    "map": ["volume", "batch"],
    "loss": ["rrw", "rrw+dice:gradual"],
    "class_weights": [None, [1, 2.5], (1, 3)],
    "device": ["cpu"],
    "checkpoint": ["a.pt", ["a.pt", "b.pt"]],
    "protocol": ["full", "paper"],
    "regions": [None, "brats"],
    "patch_size": [[64, 64], (64, 64, 8)],
    "kernel_size": [[3, 3], [[3, 1], [3, 3]]],
    "epochs": ["$2 * 3", "@other", 1],
}


@pytest.mark.parametrize("name", GOOD_VALUES)
def test_values_that_are_right(name):
    for value in GOOD_VALUES[name]:
        assert wrong_values({name: value}) == []


def test_a_wrong_loss_says_which_there_are():
    (problem,) = wrong_values({"loss": "rww"})
    assert problem.startswith("Unknown loss 'rww'; did you mean 'rrw'? choices: rrw, ")


def test_class_weights_fit_the_loss_and_the_classes():
    assert wrong_values({"loss": "rrw", "class_weights": [1, 2, 2], "num_classes": 3}) == []
    (problem,) = wrong_values({"loss": "rrw", "class_weights": [1, 2], "num_classes": 3})
    assert problem == "expected --class_weights of 3 numbers, one per class, found [1, 2]"
    (problem,) = wrong_values({"loss": "dice", "class_weights": [1, 2, 2], "num_classes": 3})
    assert problem == "loss 'dice' has no region-wise map, so class_weights would do nothing: leave it out"


PLAN = {
    "patch_size": [64, 48],
    "filters": [8, 16, 32, 64],
    "kernel_size": [3, 3, 3, 3],
    "upsampling": [2, 2, 2],
}
NETWORK = {"spatial_dims": 2, "plans": {"2": PLAN}, **{name: f"$@plan['{name}']" for name in PLAN}}


def test_a_network_whose_ids_fit_together():
    assert wrong_network(NETWORK) == []
    assert wrong_network({"network_def": {}}) == []
    assert wrong_network({**NETWORK, "upsampling": [[2, 1]] * 3, "patch_size": [64, 7]}) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": [64, 64, 64]}, "expected --patch_size of 2 numbers for --spatial_dims 2, found [64, 64, 64]"),
        ({"upsampling": [2, 2]}, "expected --upsampling of at least 3 steps (deep supervision), found [2, 2]"),
        ({"filters": [8, 16]}, "expected --filters of 4 entries, one more than --upsampling, found [8, 16]"),
        ({"kernel_size": [3] * 5}, "expected --kernel_size of 4 entries, one more than --upsampling"),
        ({"patch_size": [64, 44]}, "expected --patch_size divisible by its poolings, 8 on axis 1, found 44"),
    ],
)
def test_a_network_whose_ids_contradict_each_other(changes, message):
    (problem,) = wrong_network({**NETWORK, **changes})
    assert problem.startswith(message)
