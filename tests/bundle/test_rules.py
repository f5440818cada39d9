"""One test for each rule on the value of an id."""

import pytest
from regionwise.bundle.rules import RULES, find_value_problems

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
    "epochs": [0, -3, 1.5, "ten", True, None, {"a": 1}],
    "iterations_per_epoch": [0],
    "val_interval": [0],
    "learning_rate": [0, -1e-4, "fast", float("nan"), float("inf"), True],
    "gradient_norm": [0],
    "ema_decay": [-0.1, 1, True, "slow", None],
    "loss": [["rrw"], 3, None],
    "class_weights": [2, [], [1, 0], [1, "2"], [1, float("nan")]],
    "smoothing": ["gauss", True, None],
    "sigma": [0, -1, "2", True, float("inf")],
    "distance": ["slice", "volume", [], None],
    "augmentation": ["gpu", None, True],
    "num_workers": [-1],
    "amp": ["no", 1, "float16"],
    "resume": ["yes", 1],
    "max_minutes": [0, -1, "soon"],
    "patience": [0, 1.5],
    "on_collapse": ["ignore", None, True, {"a": 1}],
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
    "decoding": ["Dice", None],
    "save_probabilities": ["x"],
    "overwrite": ["x", 1],
    "largest_component": [1, ["a"], [0]],
    "protocol": ["papre", []],
    "regions": ["foo", 3, []],
    "train#dataset#labeled_slices_only": [None],
    "train#trainer#compile": ["true", 0],
}


def test_every_rule_is_tested():
    assert BAD_VALUES.keys() == RULES.keys()


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_value_of_the_wrong_kind_or_out_of_range(name):
    for value in BAD_VALUES[name]:
        problems = find_value_problems({name: value})
        assert problems == [f"expected --{name} to be {RULES[name][0]}, found {value!r}"]


def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_done(tmp_path):
    (tmp_path / "file").touch()
    for name in ("output_dir", "cache_dir"):
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            expected = f"expected a folder to write to as --{name}, found a file at {tmp_path / 'file'}"
            assert find_value_problems({name: str(folder)}) == [expected]
        (problem,) = find_value_problems({name: "x" * 300})
        assert problem == f"expected a folder to write to as --{name}, found '{'x' * 80}': File name too long"
    assert find_value_problems({"output_dir": str(tmp_path / "new" / "folder")}) == []
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


GOOD_VALUES = {
    "output_dir": ["out", 5, 2.5],  # the runner reads a number where a folder is called like one
    "dataset_dir": [None, "data"],
    "resume": [True, "true", "False", "TRUE"],  # the runner keeps true and false as text
    "amp": ["auto", "bfloat16", "true", False],
    "max_minutes": [None, 0.5],
    "patience": [None, 1],
    "foreground_fraction": [0, 0.33, 1],
    "smoothing": ["none", "distance", "neighbors"],
    "sigma": [0.5, 2],
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
