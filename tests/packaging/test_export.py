"""Exported networks: the same logits as PyTorch, and what to do before and after them."""

import json

import numpy as np
import pytest
import torch
from monai.bundle import load
from regionwise.errors import InputError
from regionwise.packaging.export import TOLERANCE, export

from .packing import PATCH, unpack

BATCH = torch.rand(3, 1, *PATCH, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def logits(packed_zip, tmp_path_factory):
    folder = unpack(packed_zip, tmp_path_factory.mktemp("loaded"))
    network = load(folder.name, bundle_dir=str(folder.parent), workflow_type="inference", device="cpu").eval()
    with torch.no_grad():
        return network(BATCH).numpy()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_torchscript_gives_the_logits_of_pytorch(packed_zip, logits, tmp_path, capsys):
    export(str(packed_zip), str(tmp_path), formats="ts")
    assert "model.ts: largest absolute difference to PyTorch" in capsys.readouterr().out
    with torch.no_grad():
        found = torch.jit.load(tmp_path / "model.ts")(BATCH).numpy()
    assert np.abs(found - logits).max() <= TOLERANCE * np.abs(logits).max()
    readme = (tmp_path / "README.md").read_text()
    assert "Input `image`: float32 (batch, 1, 32, 32)" in readme
    assert "0 background, 1 right ventricle" in readme
    steps = json.loads(readme.partition("```json\n")[2].partition("```")[0])
    assert [step["_target_"] for step in steps["preprocessing"]["transforms"]][:2] == [
        "LoadImaged",
        "EnsureChannelFirstd",
    ]
    assert steps["inferers"]["2"]["roi_size"] == PATCH


def test_onnx_gives_the_logits_of_pytorch(packed_zip, logits, tmp_path, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    export(str(packed_zip), str(tmp_path), formats="onnx")
    assert "model.onnx: largest absolute difference to PyTorch" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    found = session.run(["pred"], {"image": BATCH.numpy()})[0]
    assert np.abs(found - logits).max() <= TOLERANCE * np.abs(logits).max()
    assert b"site-packages" not in (tmp_path / "model.onnx").read_bytes(), "no path of this machine"


def test_a_difference_is_refused_and_nothing_is_left(packed_zip, tmp_path, monkeypatch):
    monkeypatch.setattr("regionwise.packaging.export.TOLERANCE", -1.0)
    with pytest.raises(InputError, match=r"model.ts differs from PyTorch by .* where logits reach"):
        export(str(packed_zip), str(tmp_path), formats="ts")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_named(packed_zip, tmp_path):
    with pytest.raises(InputError, match=r"expected --formats to name ts, onnx or both, found 'int8'"):
        export(str(packed_zip), str(tmp_path), formats="int8")
