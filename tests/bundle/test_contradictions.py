"""Values that are right alone and wrong together."""

import pytest
from regionwise.bundle.contradictions import find_contradictions


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
