"""Which expressions are wiring and which are code to read, without evaluating any."""

import pytest
from regionwise.packaging.code import is_known_target
from regionwise.packaging.expressions import find_definitions, is_plain

DEFINITIONS = find_definitions(
    [
        {
            "report": {"_target_": "regionwise.bundle.evaluate_datalist", "_mode_": "callable"},
            "network": {"_target_": "DynUNet"},
            "amp_dtype": "bfloat16",
            "name": "load",
        }
    ]
)
PLAIN = [
    "$@network_def.to(@device)",
    "$@bundle_root + '/eval'",
    "$[1] + @upsampling",
    "$@plans[str(@spatial_dims)]",
    "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "$not @largest_component",
    "$2 * @batch_size - 1 if @a > 3 else -@b",
    "$@train#trainer.run()",
    "$@#trainer.run()",
    "$len(@data)",
    "$@report()",
    "$getattr(torch, @amp_dtype)",
    "$getattr(torch, 'float16')",
    "$str(@amp).lower() == 'true'",
    "$sorted(glob.glob(@input + '/*.nii*')) or [@input]",
    "$[{'image': scan} for scan in @scans]",
    "$@scans.usable",
    "$@scans.finish()",
    "$[{'image': [scan.replace('_t2.', f'_{one}.') for one in @modalities]} for scan in @scans]",
    "$next((root for root in sys.path if os.path.isfile(os.path.join(root, 'x.sha256'))), '.')",
    "$monai.handlers.from_engine(['pred', 'label'])",
]
CODE = [
    "$__import__('os').system('true')",
    "$import os",
    "$import torch",
    "$open('x', 'w')",
    "$torch.load('x')",
    "$torch",
    "$torch.os.system('true')",
    "$monai.bundle.run('x')",
    "$@x.__class__.__base__",
    "$@x.utils",
    "$@x.run('x')",
    "$@x.y(__import__('os'))",
    "$@network('x')",
    "$@unknown('x')",
    "$@x[0]('x')",
    "$(lambda: 1)()",
    "$[open(x) for x in @files]",
    "$[f('x') for f in @files]",
    "$[len('x') for len in @files]",
    "$[x for x.y in @files]",
    "$getattr(torch, 'load')",
    "$getattr(torch, @name)",
    "$getattr(@torch, 'float16')",
    "$str(open('x'))",
    "$@a[open('x')]",
    "$@a.b(1)[exec('x')]",
    "$f'{open(1)}'",
    "$str(*@x)",
    "$dict(**@x)",
    "$1; import os",
    "$this is no Python",
    "$@x if open('x') else 1",
    "$2 ** 10 ** 10",
    "$1 << 10 ** 10",
    "$(y := 1)",
    "$@imports[0]",
    "$@",
    "$",
]
IMPORTS = {
    "$import glob": True,
    "$import numpy as np": True,
    "$import os": True,
    "$import os.path": False,
    "$import subprocess": False,
    "$import torch as len": False,
    "$import torch, os": False,
    "$from os import system": False,
    "$from monai.utils import set_determinism": False,
    "$from . import x": False,
}


@pytest.mark.parametrize("expression", PLAIN)
def test_wiring_is_plain(expression):
    assert is_plain(expression, "train::x", DEFINITIONS)


@pytest.mark.parametrize("expression", CODE)
def test_code_is_not(expression):
    assert not is_plain(expression, "train::x", DEFINITIONS)


@pytest.mark.parametrize(("expression", "plain"), IMPORTS.items())
def test_only_some_modules_are_imported_under_their_own_names(expression, plain):
    assert is_plain(expression, "imports::0") is plain
    assert not is_plain(expression, "elsewhere::0")


def test_an_id_that_another_file_defines_as_something_else_is_not_called():
    callable_one = {"report": {"_target_": "Compose", "_mode_": "callable"}}
    assert is_plain("$@report()", "run", find_definitions([callable_one]))
    assert not is_plain("$@report()", "run", find_definitions([callable_one, {"report": "$getattr(torch, 'float16')"}]))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("DynUNet", True),
        ("monai.transforms.Spacingd", True),
        ("torch.optim.Adam", True),
        ("regionwise.losses.make_loss", True),
        ("regionwise.losses.os.system", False),
        ("regionwise.files.write_text", False),
        ("torch.os.system", False),
        ("torch.hub.load", False),
        ("Adam", False),
        ("run_cmd", False),
        ("monai.utils.run_cmd", False),
        ("monai.data.os.Dataset", False),
        ("os.system", False),
        ("eval", False),
        ("scripts.evil", False),
        (" DynUNet", False),
        (["DynUNet"], False),
    ],
)
def test_targets(name, known):
    assert is_known_target(name) is known
