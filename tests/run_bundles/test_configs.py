"""What the configurations of the bundles have in common, and the list of what sets them apart."""

import ast
import json
import sys
from collections.abc import Iterator
from itertools import combinations

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, verify_net_in_out
from monai.bundle.reference_resolver import ReferenceResolver
from regionwise.bundle.lint import find_problems
from regionwise.packaging.packed_configs import json_bytes

from .running import BUNDLES, config, evaluation_overrides

PAPER = ("acdc", "brats", "kits")
NAMES = ("train", "inference", "evaluate", "ensemble", "multi_gpu_train")
NETWORK = ("patch_size", "slice_axis", "filters", "kernel_size", "upsampling")
LIMITS = {
    "train": (270, 45),
    "evaluate": (130, 45),
    "inference": (115, 45),
    "ensemble": (16, 7),
    "multi_gpu_train": (10, 4),
}

# Ids that differ between bundles because their datasets do; everything below an id of the list belongs to it.
NETWORK_FACTS = {*NETWORK, "network_def#in_channels"}
DATASET_FACTS = {
    "train": {
        "bundle_root#name",
        "epochs",
        "batch_size",
        "num_classes",
        *NETWORK_FACTS,
        "network_def#_desc_",
        "train#datalist#dataset",
        "train#datalist#subset",
        "train#preprocessing#transforms",
        "train#augmentation#thick_slice_axis",
        "train#dataset#labeled_slices_only",
    },
    "inference": {
        "bundle_root#name",
        *NETWORK_FACTS,
        "network_def#out_channels",
        "preprocessing#transforms",
        "modalities",
        "run#modalities",
        "postprocessing#transforms",
    },
    "evaluate": {
        "bundle_root#name",
        "probabilities",
        "regions",
        *NETWORK_FACTS,
        "network_def#out_channels",
        "preprocessing#transforms",
        "data#dataset",
        "data#subset",
        "postprocessing#transforms",
        "report#dataset",
    },
    "ensemble": {"scans#dataset"},
    "multi_gpu_train": set(),
}
# Not in the paper and small: its own split, and settings for two CPU cores.
HIPPOCAMPUS_FACTS = {
    "train": {
        "split",
        "folds",
        "iterations_per_epoch",
        "learning_rate",
        "loss",
        "lr_scheduler",
        "val_interval",
        "train#trainer#compile",
        "train#augmentation#frequency",
        "train#handlers#7#epoch_level",
    },
    "evaluate": {"split", "folds"},
}


def read(bundle: str, name: str) -> dict:
    return json.loads(config(bundle, name).read_text())


def overlay(bundle: str) -> str:
    return "spatial_2d" if bundle == "hippocampus" else "spatial_3d"


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
        here, first = ([key for key in read(which, name) if key != "modalities"] for which in (bundle, "acdc"))
        assert here == first


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("name", NAMES)
def test_configurations_stay_short(bundle, name):
    lines, ids = LIMITS[name]
    text = config(bundle, name).read_text()
    assert len(text.splitlines()) <= lines
    assert len(json.loads(text)) <= ids


@pytest.mark.parametrize("bundle", BUNDLES)
def test_values_come_first_and_the_network_early(bundle):
    text = config(bundle, "train").read_text()
    assert text[: text.index('"network":')].count("\n") < 50
    groups = ["network_def", "network", "loss_function", "optimizer", "lr_scheduler", "train", "validate", "initialize"]
    order = list(read(bundle, "train"))
    assert order[order.index("network_def") :] == [*groups, "run", "training"]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_style_of_the_files(bundle):
    for path in config(bundle, "train").parent.glob("*.json"):
        if path.name != "metadata.json":
            assert path.read_bytes() == json_bytes(json.loads(path.read_text())), path


def is_short(expression: ast.expr) -> bool:
    """Return whether an expression is a name, a constant, an attribute, a call of these, or a path put together."""
    match expression:
        case ast.Call():
            arguments = [*expression.args, *(keyword.value for keyword in expression.keywords)]
            return is_short(expression.func) and all(map(is_plain, arguments))
        case ast.Attribute():
            return is_short(expression.value)
        case ast.BinOp(op=ast.Add()):
            return isinstance(expression.left, ast.Name) and isinstance(expression.right, ast.Constant)
    return is_plain(expression)


def is_plain(expression: ast.expr) -> bool:
    if isinstance(expression, ast.List):
        return all(map(is_plain, expression.elts))
    return isinstance(expression, ast.Name | ast.Constant)


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("name", ["train", "evaluate", "ensemble", "multi_gpu_train"])
def test_no_expression_is_longer_than_a_call(bundle, name):
    """inference.json is left out: MONAI alone has no function for what it needs."""
    expressions = [value for _, value in flat(read(bundle, name)) if isinstance(value, str) and value.startswith("$")]
    for expression in expressions:
        text = ReferenceResolver.normalize_id(expression.removeprefix("$"))
        text = ReferenceResolver.id_matcher.sub("reference", text)
        assert is_short(ast.parse(text, mode="eval").body), expression


@pytest.mark.parametrize("bundle", BUNDLES)
def test_what_a_configuration_names_is_exported_by_its_package(bundle):
    for name in ("train", "evaluate", "ensemble", "multi_gpu_train", "soft_labels"):
        targets = {value for key, value in flat(read(bundle, name)) if key.endswith("_target_")}
        ours = {target for target in targets if target.startswith("regionwise.")}
        assert ours
        assert {target for target in ours if target.count(".") != 2} == set()


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_other_number_of_axes_is_an_overlay_of_values(bundle):
    dims = {len(read(bundle, "train")["patch_size"]), len(read(bundle, overlay(bundle))["patch_size"])}
    assert dims == {2, 3}
    assert set(read(bundle, overlay(bundle))) == {*NETWORK, "batch_size"} - {"slice_axis"}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_inference_names_of_ours_where_the_bundle_is_and_the_guard(bundle):
    """Packing replaces the first; clients that build parts of the configuration themselves need neither."""
    targets = {key: value for key, value in flat(read(bundle, "inference")) if key.endswith("_target_")}
    dotted = {key: value for key, value in targets.items() if "." in value}  # MONAI's own names need no module
    assert dotted == {
        "bundle_root#_target_": "regionwise.bundle.find_bundle_root",
        "run#_target_": "regionwise.guard.segment_scans",
    }
    assert len(targets) > 15


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
    evaluation, inference = (read(bundle, name)["preprocessing"]["transforms"] for name in ("evaluate", "inference"))
    loaders = [transforms[0]["_target_"] for transforms in (training, evaluation, inference)]
    assert loaders == ["regionwise.data.LoadCased"] * 2 + ["LoadImaged"]
    assert inference[1] == {"_target_": "EnsureChannelFirstd", "keys": "image"}
    assert [for_the_image(transform) for transform in training[1:]] == evaluation[1:] == inference[2:]
    assert read(bundle, "train")["validate"]["preprocessing"] == "@train#preprocessing"


@pytest.mark.parametrize("bundle", BUNDLES)
def test_labels_are_resampled_to_the_nearest(bundle):
    for transform in read(bundle, "train")["train"]["preprocessing"]["transforms"][1:]:
        if "label" in transform["keys"]:
            assert transform["mode"][1].startswith("nearest")


@pytest.mark.parametrize("bundle", BUNDLES)
def test_soft_labels_are_resampled_as_the_image(bundle):
    soft = read(bundle, "soft_labels")["train#preprocessing"]["transforms"]
    hard = read(bundle, "train")["train"]["preprocessing"]["transforms"]
    assert soft[0] == hard[0]
    assert soft[1]["_target_"] == "regionwise.soft_labels.SoftLabelsd"
    for one, other in zip(soft[2:], hard[1:], strict=True):
        assert for_the_image(one) == for_the_image(other)
        assert "label" not in one["keys"] or one["mode"][0] == one["mode"][1]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_network_is_the_same_in_all_three(bundle):
    files = {name: read(bundle, name) for name in ("train", "evaluate", "inference")}
    for name in ("evaluate", "inference"):
        assert {key: files[name][key] for key in NETWORK} == {key: files["train"][key] for key in NETWORK}
    for more in ((), (str(config(bundle, overlay(bundle))),)):
        networks = []
        for name in files:
            parser = ConfigParser()
            parser.read_config([str(config(bundle, name)), *more])
            parser["network_def"]["deep_supervision"] = False
            with torch.device("meta"):  # shapes alone
                networks.append(parser.get_parsed_content("network_def"))
        shapes = [{key: value.shape for key, value in network.state_dict().items()} for network in networks]
        assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_papers_settings_are_the_defaults(bundle):
    train = read(bundle, "train")
    assert train["distance"] == "precomputed"
    assert train["optimizer"]["_target_"] == "torch.optim.Adam"
    assert train["optimizer"]["weight_decay"] == 3e-5
    assert train["foreground_fraction"] == 0.33
    if bundle in PAPER:
        assert (train["loss"], train["lr_scheduler"]["power"], train["ema_decay"]) == ("rrw:annealed", 0.9, 0)
        assert len(train["patch_size"]) == 2
        assert (train["learning_rate"], train["iterations_per_epoch"], train["split"]) == (1e-4, 250, "paper")
        assert train["epochs"] == {"acdc": 300, "brats": 100, "kits": 100}[bundle]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_configuration_passes_lint(bundle):
    for name in ("train", "inference", "evaluate"):
        assert find_problems([str(config(bundle, name))], {}) == []
        assert find_problems([str(config(bundle, name)), str(config(bundle, overlay(bundle)))], {}) == []
    for name, over in (
        ("train", "soft_labels"),
        ("train", "multi_gpu_train"),
        ("evaluate", "multi_gpu_train"),
        ("evaluate", "ensemble"),
    ):
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
        "evaluate": {**evaluation_overrides(bundle), **used, "dataset_dir": str(run.data)},
    }[name]
    file = str(config(bundle, name))
    workflow = ConfigWorkflow(file, workflow_type=kind, logging_file=False, **overrides)
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("bundle", BUNDLES)
def test_the_ids_that_people_set_are_there(bundle):
    train, evaluate, inference = (read(bundle, name) for name in ("train", "evaluate", "inference"))
    assert train["training"] == evaluate["evaluating"] == "%run"
    for key in (
        "epochs",
        "loss",
        "output_dir",
        "dataset_dir",
        "device",
        "resume",
        "max_minutes",
        "patience",
        "on_collapse",
        "distance",
    ):
        assert key in train
    assert {"trainer", "dataset", "inferer", "handlers"} <= train["train"].keys()
    assert {"evaluator", "dataset", "inferer", "key_metric"} <= train["validate"].keys()
    assert {"input", "output_dir", "checkpoint", "device", "network_def", "evaluator"} <= inference.keys()


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("name", ["inference", "evaluate"])
def test_the_network_takes_and_gives_what_the_metadata_says(bundle, name):
    metadata = str(config(bundle, "metadata"))
    verify_net_in_out("network_def", metadata, str(config(bundle, name)), device="cpu")
