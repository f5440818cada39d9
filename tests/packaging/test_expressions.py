"""Which expressions are wiring and which are code to read, without evaluating any."""

import json

import pytest
from regionwise.packaging.expressions import find_code, is_known_target, is_plain

PLAIN = [
    "$@network_def.to(@device)",
    "$@bundle_root + '/eval'",
    "$import torch",
    "$import monai.transforms as mt",
    "$from monai.utils import set_determinism",
    "$[1] + @upsampling",
    "$@plans[str(@spatial_dims)]",
    "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "$not @largest_component",
    "$2 * @batch_size - 1 if @a > 3 else -@b",
    "$@train#trainer.run()",
    "$len(@data)",
]
CODE = [
    "$__import__('os').system('true')",
    "$import os",
    "$from os import system",
    "$import monailabel",
    "$open('x', 'w')",
    "$torch.load('x')",
    "$torch.os.system('true')",
    "$monai.bundle.run('x')",
    "$@x.__class__.__base__",
    "$@x.y(__import__('os'))",
    "$(lambda: 1)()",
    "$[open(x) for x in @files]",
    "$getattr(torch, 'load')",
    "$str(open('x'))",
    "$@a[open('x')]",
    "$@a.b(1)[exec('x')]",
    "$f'{open(1)}'",
    "$1; import os",
    "$import torch; import os",
    "$this is no Python",
    "$@x if open('x') else 1",
]


@pytest.mark.parametrize("expression", PLAIN)
def test_wiring_is_plain(expression):
    assert is_plain(expression)


@pytest.mark.parametrize("expression", CODE)
def test_code_is_not(expression):
    assert not is_plain(expression)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("DynUNet", True),
        ("torch.optim.Adam", True),
        ("ignite.engine.Engine", True),
        ("regionwise.losses.make_loss", True),
        ("regionwise.losses.os.system", False),
        ("torch.os.system", False),
        ("torch.hub.load", False),
        ("os.system", False),
        ("eval", False),
        ("monai.bundle.scripts.os.system", False),
        ("scripts.evil", False),
    ],
)
def test_targets(name, known):
    contents = {"regionwise/__init__.py": b"", "regionwise/losses/__init__.py": b""}
    assert is_known_target(name, contents) is known


def test_what_is_found_names_file_and_id():
    config = {"a": {"_target_": "os.system", "command": "$open('x')"}, "b": ["$@a + 1", "text"]}
    count, found = find_code({"configs/train.json": json.dumps(config).encode(), "docs/x.json": b"not read"})
    assert count == 2
    assert found == ["configs/train.json a#_target_: os.system", "configs/train.json a#command: $open('x')"]
