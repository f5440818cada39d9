"""A packed bundle in an environment that is made for it, as its model card says: inference, then fine-tuning."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from regionwise.phantoms.write import phantom

from ..packaging.packing import pack_tiny, unpack, write_scan
from .test_packed_bundle import assert_same, expected_labels, read_labels

pytestmark = pytest.mark.slow


def run(python, cwd, *arguments):
    """Run the environment's Python in a folder, without PYTHONPATH."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run([python, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True)


def install_lines(card):
    """Return the packages of the two pip commands of the model card."""
    return [shlex.split(line) for line in re.findall(r"^ +pip install (.*)$", card, re.MULTILINE)]


def test_inference_and_fine_tuning_in_a_fresh_environment(tmp_path):
    packed = pack_tiny(tmp_path / "made")
    root = unpack(packed, tmp_path / "bundles")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    inference, training = install_lines((root / "docs" / "README.md").read_text())
    assert run(python, tmp_path, "-m", "pip", "install", "--quiet", *inference).returncode == 0

    empty = tmp_path / "empty"
    empty.mkdir()
    scan = write_scan(tmp_path / "scan.nii.gz")
    bundle = ("-m", "monai.bundle", "run")
    config = root / "configs"
    result = run(
        python,
        empty,
        *bundle,
        "run",
        "--config_file",
        config / "inference.json",
        "--input",
        scan,
        "--output_dir",
        "out",
    )
    assert result.returncode == 0, result.stderr
    assert_same(read_labels(empty / "out" / "scan.nii.gz"), expected_labels("acdc_rrw", packed, scan, tmp_path / "w"))
    assert run(python, empty, "-c", "import regionwise").returncode == 1

    assert run(python, tmp_path, "-m", "pip", "install", "--quiet", *training).returncode == 0
    phantom("acdc", str(tmp_path / "data"), subjects=4, preset="small")
    settings = ("--epochs", "1", "--iterations_per_epoch", "2", "--batch_size", "2", "--num_workers", "0")
    data = ("--dataset_dir", tmp_path / "data")
    result = run(python, empty, *bundle, "training", "--config_file", config / "train.json", *data, *settings)
    assert result.returncode == 0, result.stderr
    assert json.loads((root / "finetuned" / "network.json").read_text())["patch_size"] == [32, 32]

    arguments = ("--checkpoint", root / "finetuned" / "model.pt", "--num_workers", "0", "--output_dir", "evaluated")
    result = run(python, empty, *bundle, "evaluating", "--config_file", config / "evaluate.json", *data, *arguments)
    assert result.returncode == 0, result.stderr
    assert (empty / "evaluated" / "summary.json").is_file()
