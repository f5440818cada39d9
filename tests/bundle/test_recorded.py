"""What a training recorded is read as plain values, and what it cannot build is one line."""

import json

import pytest
from regionwise.bundle.recorded import build, open_config, read_network
from regionwise.errors import InputError

NETWORK = {"network_def": {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 2, "kernel_size": 3}}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_plain_values_are_read(tmp_path):
    assert read_network(write(tmp_path / "network.json", NETWORK)) == NETWORK


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", r"expected an object in .*network.json, found \[\]"),
        ("{}", r"expected the network \(network_def\) in "),
        ({"network_def": "x"}, r"expected the network \(network_def\) in "),
        ('{"network_def": ', "is not JSON"),
        ({**NETWORK, "a": "$print(1)"}, r"expected plain values in .*found a: \$print"),
        ({**NETWORK, "a": [{"b": "@network_def"}]}, "expected plain values in .*found a#0#b: @network_def"),
        ({**NETWORK, "%other.json": 1}, "expected plain values in .*found %other.json: %other.json"),
    ],
)
def test_what_is_no_record_or_would_be_evaluated_is_one_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_network(write(tmp_path / "network.json", content))
    with pytest.raises(InputError, match=r"expected a JSON file at .*none.json, not found; a training writes it"):
        read_network(tmp_path / "none.json")


def test_a_configuration_is_opened_with_overrides(tmp_path):
    write(tmp_path / "configs" / "train.json", NETWORK | {"width": "@network_def"})
    parser = open_config(tmp_path, "train", {"network_def#out_channels": 5})
    assert build(parser, "network_def", tmp_path).out_channels == 5


def test_what_is_no_bundle_or_describes_nothing_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"expected a bundle in .*, found no configs/inference.json"):
        open_config(tmp_path, "inference", {})
    write(tmp_path / "configs" / "train.json", "[1]")
    with pytest.raises(InputError, match=r"expected an object in .*train.json, found \[1\]"):
        open_config(tmp_path, "train", {})
    write(tmp_path / "configs" / "train.json", {"network_def": {"_target_": "torch.nn.Conv2d", "kernel_size": 3}})
    with pytest.raises(InputError, match=r"here describes no network_def \(.*in_channels"):
        build(open_config(tmp_path, "train", {}), "network_def", "here")
    with pytest.raises(InputError, match="here describes no nothing"):
        build(open_config(tmp_path, "train", {}), "nothing", "here")
