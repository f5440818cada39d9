"""What the configurations of the bundles have in common, and the list of what sets them apart."""

import json
import sys
from collections.abc import Iterator
from itertools import combinations

import pytest
from monai.bundle import ConfigWorkflow, verify_net_in_out
from regionwise.bundle.lint import find_problems

from .running import BUNDLES, config, judging

PAPER = ("acdc", "brats", "kits")
NAMES = ("train", "inference", "evaluate", "predict", "multi_gpu")
NETWORK = ("in_channels", "num_classes", "spatial_dims", "plan", "slice_axis", "patch_size", "filters", "kernel_size")
OVERRIDING = ("predict", "multi_gpu")  # these are merged over another file

# Ids that differ between bundles because their datasets do; everything below an id of the list belongs to it.
DATASET_FACTS = {
    "train": {
        "bundle_root#name",
        "dataset_name",
        "subset",
        "epochs",
        "labelled_slices_only",
        "in_channels",
        "num_classes",
        "plans",
        "train#preprocessing#transforms",
        "train#augmentation#thick_slice_axis",
        "train#dataset#data#subset",
        "validate#dataset#data#subset",
    },
    "inference": {
        "in_channels",
        "num_classes",
        "plans",
        "preprocessing#transforms",
        "modalities",
        "scans",
        "dataset#data",
        "postprocessing#transforms",
    },
    "evaluate": {
        "bundle_root#name",
        "dataset_name",
        "subset",
        "probabilities",
        "regions",
        "in_channels",
        "num_classes",
        "plans",
        "preprocessing#transforms",
        "data#subset",
        "postprocessing#transforms",
        "protocol",
        "report#about#bundle",
        "report#protocol",
    },
    "predict": set(),
    "multi_gpu": set(),
}
# Not in the paper and small: its own split, and settings for two CPU cores.
HIPPOCAMPUS_FACTS = {
    "train": {"split", "folds", "iterations_per_epoch", "learning_rate"},
    "evaluate": {"split", "folds"},
}


def read(bundle: str, name: str) -> dict:
    return json.loads(config(bundle, name).read_text())


def flat(content, path="") -> Iterator[tuple[str, object]]:
    """Yield the id and the value of everything that is neither a list nor a dictionary."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else None
    if items is None or not content:
        yield path, content
        return
    for key, value in items:
        yield from flat(value, f"{path}#{key}" if path else str(key))


def differences(name: str, bundles: tuple[str, ...], facts: set[str]) -> tuple[set[str], set[str]]:
    """Return the ids that differ and are not in the list, and those of the list that differ."""
    unlisted, listed = set(), set()
    for first, second in combinations(bundles, 2):
        one, two = dict(flat(read(first, name))), dict(flat(read(second, name)))
        missing = object()
        for key in one.keys() | two.keys():
            if one.get(key, missing) != two.get(key, missing):
                fact = next((fact for fact in facts if key == fact or key.startswith(fact + "#")), None)
                (listed if fact else unlisted).add(fact or key)
    return unlisted, listed


@pytest.mark.parametrize("name", NAMES)
def test_the_papers_bundles_differ_where_their_datasets_do(name):
    unlisted, listed = differences(name, PAPER, DATASET_FACTS[name])
    assert unlisted == set()
    assert listed == DATASET_FACTS[name]  # no entry that nothing needs


@pytest.mark.parametrize("name", NAMES)
def test_the_hippocampus_bundle_differs_in_a_few_more(name):
    facts = DATASET_FACTS[name] | HIPPOCAMPUS_FACTS.get(name, set())
    unlisted, listed = differences(name, BUNDLES, facts)
    assert unlisted == set()
    assert listed == facts


@pytest.mark.parametrize("bundle", BUNDLES)
def test_ids_are_in_one_order(bundle):
    for name in NAMES:
        here, first = (
            [key for key in read(which, name) if key not in ("subset", "modalities", "protocol")]
            for which in (bundle, "acdc")
        )
        assert here == first


@pytest.mark.parametrize("bundle", BUNDLES)
def test_inference_names_nothing_of_ours(bundle):
    assert "regionwise" not in config(bundle, "inference").read_text()
    targets = [value for key, value in flat(read(bundle, "inference")) if key.endswith("_target_")]
    assert targets and not any("." in target for target in targets)  # MONAI's own names need no module


def for_the_image(transform: dict) -> dict:
    """Return the part of a transform that concerns the image: the first of what is given for each key."""
    if transform["keys"] == "image":
        return transform
    assert transform["keys"] == ["image", "label"]
    per_key = {key: value[0] for key, value in transform.items() if isinstance(value, list) and len(value) == 2}
    return {**transform, **per_key}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_training_evaluation_and_inference_preprocess_alike(bundle):
    training = read(bundle, "train")["train"]["preprocessing"]["transforms"]
    judging, inference = (read(bundle, name)["preprocessing"]["transforms"] for name in ("evaluate", "inference"))
    loaders = [transforms[0]["_target_"] for transforms in (training, judging, inference)]
    assert loaders == ["regionwise.data.LoadCased"] * 2 + ["LoadImaged"]
    assert [for_the_image(transform) for transform in training[1:]] == judging[1:] == inference[1:]
    assert read(bundle, "train")["validate"]["preprocessing"] == "@train#preprocessing"


@pytest.mark.parametrize("bundle", BUNDLES)
def test_labels_are_resampled_to_the_nearest(bundle):
    for transform in read(bundle, "train")["train"]["preprocessing"]["transforms"][1:]:
        if "label" in transform["keys"]:
            assert transform["mode"][1].startswith("nearest")


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_network_is_the_same_in_all_three(bundle):
    files = {name: read(bundle, name) for name in ("train", "evaluate", "inference")}
    for name in ("evaluate", "inference"):
        for key in (*NETWORK, "upsampling"):
            assert files[name][key] == files["train"][key], key
        for dims, plan in files[name]["plans"].items():
            trained = files["train"]["plans"][dims]
            assert plan == {key: value for key, value in trained.items() if key not in ("_desc_", "batch_size")}
        without_heads = {k: v for k, v in files["train"]["network_def"].items() if not k.startswith("deep_")}
        assert files[name]["network_def"] == {**without_heads, "deep_supervision": False}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_papers_settings_are_the_defaults(bundle):
    train = read(bundle, "train")
    assert (train["loss"], train["map"], train["spatial_dims"]) == ("rrw", "volume", 2)
    assert train["optimizer"]["_target_"] == "torch.optim.Adam"
    assert train["optimizer"]["weight_decay"] == 3e-5
    assert (train["lr_scheduler"]["power"], train["foreground_fraction"]) == (0.9, 0.33)
    if bundle in PAPER:
        assert (train["learning_rate"], train["iterations_per_epoch"], train["split"]) == (1e-4, 250, "paper")
        assert train["epochs"] == {"acdc": 300, "brats": 100, "kits": 100}[bundle]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_configuration_passes_lint(bundle):
    for name in ("train", "inference", "evaluate"):
        assert find_problems([str(config(bundle, name))], {}) == []
        assert find_problems([str(config(bundle, name))], {"spatial_dims": 3}) == []
    for name, over in (("train", "multi_gpu"), ("evaluate", "multi_gpu"), ("evaluate", "predict")):
        assert find_problems([str(config(bundle, name)), str(config(bundle, over))], {}) == []


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize(("name", "kind"), [("train", "train"), ("inference", "infer"), ("evaluate", "eval")])
def test_the_ids_are_those_of_the_model_zoo(trained, tmp_path, monkeypatch, bundle, name, kind):
    """All properties that MONAI asks for are there and can be made."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the run's own is undone
    run = trained(bundle)
    used = {"output_dir": str(tmp_path), "checkpoint": str(run.folder / "model.pt"), **run.network, "device": "cpu"}
    folders = {"output_dir": str(tmp_path), "dataset_dir": str(run.data), "cache_dir": str(run.cache)}
    overrides = {
        "train": {**run.settings, **folders},
        "inference": {**used, "input": str(run.data)},
        "evaluate": {**judging(bundle), **used, "dataset_dir": str(run.data)},
    }[name]
    file = str(config(bundle, name))
    workflow = ConfigWorkflow(file, workflow_type=kind, logging_file=False, **overrides)
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_ids_that_people_set_are_there(bundle):
    train, evaluate, inference = (read(bundle, name) for name in ("train", "evaluate", "inference"))
    assert train["training"] == evaluate["evaluating"] == "%run"
    for key in ("epochs", "loss", "output_dir", "dataset_dir", "device", "resume", "max_minutes", "patience", "map"):
        assert key in train
    assert {"trainer", "dataset", "inferer", "handlers"} <= train["train"].keys()
    assert {"evaluator", "dataset", "inferer", "key_metric"} <= train["validate"].keys()
    assert {"input", "output_dir", "checkpoint", "device", "network_def", "evaluator"} <= inference.keys()


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("name", ["inference", "evaluate"])
def test_the_network_takes_and_gives_what_the_metadata_says(bundle, name):
    metadata = str(config(bundle, "metadata"))
    verify_net_in_out("network_def", metadata, str(config(bundle, name)), device="cpu")
