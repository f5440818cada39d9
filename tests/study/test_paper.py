"""Every cell of the preset `paper` on synthetic scans, with the settings of `data=phantom`.

The jobs are forks of one process, or 90 starts of Python with PyTorch would take a quarter of an hour of CPU time:

    python -m pytest -m slow tests/study/test_paper.py
"""

import json
import tempfile
from pathlib import Path

import pytest

from .conftest import STUDY, finish
from .forking import python_that_forks

pytestmark = pytest.mark.slow


def test_every_cell_of_the_paper_runs(study, tmp_path):
    table = (STUDY / "study.yaml").read_text()
    options = ["--data", "phantom", "--jobs", "1"]
    with tempfile.TemporaryDirectory() as folder, python_that_forks(Path(folder)) as python:
        print(finish(study("paper", *options, preset="paper", content=table, STUDY_PYTHON=python), timeout=7200))
    out = tmp_path / "paper"
    trainings = [json.loads(file.read_text()) for file in out.glob("cells/*/fold0/*/seed?/train.json")]
    assert len(trainings) == len(list(out.glob("cells/*/fold0/*/seed?/evaluation.json"))) == 45
    # No two cells have trained the same network: the losses and the seeds arrive.
    assert len({one["weights_sha256"] for one in trainings}) == 45
    for dataset in ("acdc", "brats", "kits"):
        comparison = json.loads((out / "results" / dataset / "comparison.json").read_text())
        assert {name: one["seeds"] for name, one in comparison["methods"].items()} == {
            "rrw": 3, "wce_rrw": 3, "dice": 3, "focal": 3, "boundary": 3,
        }  # fmt: skip
        assert comparison["baseline"] == "rrw" and comparison["notes"] == []
        pairs = {(one["method"], one["structure"], one["metric"]) for one in comparison["comparisons"]}
        assert len(pairs) == 4 * len(comparison["structures"]) * 3
        assert "did not finish" not in (out / "results" / dataset / "failures.csv").read_text()
    page = (out / "report.md").read_text()
    assert "45 planned trainings, 45 finished: losses `rrw`, `wce_rrw`, `dice`, `focal`, `boundary`;" in page
    assert page.count("- the scans are synthetic\n") == 3
    assert "Nothing to be done" in finish(study("paper", *options, preset="paper", content=table))
