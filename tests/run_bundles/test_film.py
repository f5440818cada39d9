"""Metadata through the runner: a phantom that cannot be segmented without knowing its scanner."""

import json
import runpy
import sys

import pytest

from .running import ROOT, TINY, arguments, config, run_here

SCANNER = {"Scanner": ["A", "B"]}
PLAIN = {"preprocessing#transforms#1#pixdim": [3.0, 3.0, -1]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root, scripts = tmp_path_factory.mktemp("film"), str(ROOT / "scripts" / "benchmarks")
    sys.path.insert(0, scripts)  # for what the script imports beside it
    runpy.run_path(f"{scripts}/gains_film.py")["write_scanner_phantom"](root / "data")
    sys.path.remove(scripts)
    settings = {
        **TINY,
        **{f"train#{key}": value for key, value in PLAIN.items()},
        "patch_size": [32, 32],
        "batch_size": 8,
        "iterations_per_epoch": 250,
        "learning_rate": 0.005,
        "loss": "dice_ce",
        "metadata": SCANNER,
        "train#augmentation#frequency": 0.0,
        "train#trainer#compile": False,
        "dataset_dir": root / "data",
        "output_dir": root / "run",
        "cache_dir": root / "cache",
    }
    return root, run_here(*arguments("training", config("acdc", "train"), config("acdc", "film_train"), **settings))


def mean_dice(root, out, metadata):
    settings = {
        **PLAIN,
        "dataset_dir": root / "data",
        "output_dir": out,
        "checkpoint": root / "run" / "model.pt",
        "args_file": root / "run" / "network.json",
        "metadata": metadata,
        "num_workers": 0,
        "device": "cpu",
        "amp": False,
        "tta": False,
    }
    result = run_here(*arguments("evaluating", config("acdc", "evaluate"), config("acdc", "film"), **settings))
    assert result.status == 0, result.err
    summary = json.loads((out / "summary.json").read_text())
    return summary["structures"]["RV"]["metrics"]["dice"]["mean"]


def test_wrong_metadata_cost_dice(run, tmp_path):
    root, result = run
    assert result.status == 0, result.err
    right = mean_dice(root, tmp_path / "right", SCANNER)
    shuffled = mean_dice(root, tmp_path / "shuffled", {"Scanner": ["B", "A"]})
    print(f"Dice {right:.3f} with the scanner, {shuffled:.3f} with the other one")
    assert right > 0.85
    assert shuffled < right - 0.5


def test_the_recorded_network_has_its_categories(run):
    network = json.loads((run[0] / "run" / "network.json").read_text())["network_def"]
    assert (network["_target_"], network["categories"]) == ("regionwise.metadata.FilmDynUNet", [3])


def test_the_diagnosis_is_refused_as_metadata(run, tmp_path):
    settings = {**TINY, "dataset_dir": run[0] / "data", "output_dir": tmp_path / "run", "metadata": {"Group": ["NOR"]}}
    result = run_here(*arguments("training", config("acdc", "train"), config("acdc", "film_train"), **settings))
    assert result.error == "metadata key 'Group' tells the diagnosis, which no new scan comes with; leave it out"
    assert not (tmp_path / "run").exists()


def test_the_overlays_repeat_the_preprocessing_and_add_to_it():
    for name, part in (("train", "train"), ("evaluate", None)):
        base = json.loads(config("acdc", name).read_text())
        over = json.loads(config("acdc", "film_train" if part else "film").read_text())
        listed = over[f"{part}#preprocessing#transforms" if part else "preprocessing#transforms"]
        preprocessing = (base[part] if part else base)["preprocessing"]
        assert listed[:-1] == preprocessing["transforms"]
        assert listed[-1]["_target_"] == "regionwise.metadata.AddMetadatad"
