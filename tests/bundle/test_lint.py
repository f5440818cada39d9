"""One test for each way in which a configuration can be wrong."""

import json
import re

import pytest
from regionwise.bundle.lint import find_problems, lint
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
    assert problem.endswith("trian.json, not found; did you mean 'train.json'? choices: train.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{'epochs': 5}", "train.json is not JSON (Expecting property name"),
        ('{"epochs": 5, "epochs": 6}', "train.json is not JSON (the key 'epochs' is there twice in one object)"),
        ('{"learning_rate": NaN}', "train.json is not JSON (NaN is no number of JSON; use null)"),
        ('{"a":' * 50_000, "train.json is not JSON (maximum recursion depth exceeded"),
        ("[]", "expected ids and values in "),
    ],
)
def test_what_is_no_json(config, text, message):
    (problem,) = find_problems([config(text)], {})
    assert message in problem


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.txt", b"{}", r"expected a config file that ends in \.json or \.yaml, found .*train\.txt"),
        ("train.yaml", b"{:", r"train\.yaml cannot be read: "),
        ("train.yaml", b"- 5", r"expected ids and values in .*train\.yaml, found list"),
    ],
)
def test_what_is_no_configuration(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    (problem,) = find_problems([str(tmp_path / name)], {})
    assert re.search(message, problem)


def test_a_file_of_overrides_is_checked_too(config, tmp_path, capsys):
    file = tmp_path / "network.json"
    file.write_text('{"epochs": 0, "loss": "rww"}')
    assert main(["lint", config(), "--args_file", str(file), "--loss", "rrw"]) == 1
    assert capsys.readouterr().out == "error: expected --epochs to be an integer >= 1, found 0\n"
    for content in (None, "{"):
        file.unlink() if content is None else file.write_text(content)
        assert main(["lint", config(), "--args_file", str(file)]) == 1
        err = capsys.readouterr().err
        assert err.startswith("error: ") and "network.json" in err and err.count("\n") == 1


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
    assert find_problems([path], {key: 3}) == [f"Unknown id '{key}' in {path}; {suggestion}"]


def test_a_name_where_a_list_has_numbers(config):
    path = config('{"sizes": [1, 2]}')
    (problem,) = find_problems([path], {"sizes#first": 3})
    assert problem.startswith(f"Unknown id 'sizes#first' in {path}; ")


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
        ("world_size", "torchrun and configs/multi_gpu_train.json"),
    ],
)
def test_an_id_of_earlier_names_its_place(config, key, place):
    path = config()
    assert find_problems([path], {key: 1}) == [f"Unknown id '{key}' in {path}; now: {place}"]


def test_a_target_of_earlier_names_its_place(config):
    old = {"_target_": "regionwise.data.datalist", "dataset": "acdc"}
    assert find_problems([config(data=old)], {}) == [
        "data: _target_ 'regionwise.data.datalist' has moved; now: regionwise.datasets.datalist"
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
