import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts" / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(SCRIPTS))
    own = runpy.run_path(str(SCRIPTS / "benchmark.py"))  # with what it imports from _timing.py
    yield {**sys.modules["_rows"].__dict__, **own}
    sys.path.remove(str(SCRIPTS))


def row(benchmark, **settings):
    return benchmark["Row"]("work", "rival", lambda: None, lambda: None, **settings)


def test_ratio_is_of_medians_and_says_whether_the_target_is_met(benchmark):
    report = benchmark["report"]
    line = report(row(benchmark, target=18, faster=True), [1.0, 2.0, 9.0], [30.0, 40.0, 50.0])
    assert line[2:] == ["2 (1-9)", "40 (30-50)", "20x", ">= 18x", "yes"]
    assert report(row(benchmark, target=21, faster=True), [2.0], [40.0])[-1] == "no"
    assert report(row(benchmark, target=0.4), [1.0], [4.0])[4:] == ["0.25x", "<= 0.4x", "yes"]
    assert report(row(benchmark, target=0.4), [2.0], [4.0])[-1] == "no"


def test_rivals_take_turns_and_the_first_turn_does_not_count(benchmark):
    order = []
    ours, theirs = benchmark["interleaved"](lambda: order.append("A"), lambda: order.append("B"), 3)
    assert order == list("ABABABAB")
    assert len(ours) == len(theirs) == 3


def test_every_class_is_in_every_slice_and_volume(benchmark):
    assert np.unique(benchmark["brats_labels"]()).tolist() == [0, 1, 2, 3]
    for image in benchmark["slices"](41, (256, 256), 3):
        assert np.unique(image).tolist() == [0, 1, 2]


def test_rows_about_losses_run(benchmark):
    rows = list(benchmark["loss_rows"]())
    assert len(rows) == 16
    assert sum(row.rival == "MONAI DiceLoss" for row in rows) == 10
    for function in (rows[0].ours, rows[0].theirs, rows[4].ours, rows[-1].ours, rows[-1].theirs):
        function()


def test_there_is_a_row_about_the_precision_of_each_network(benchmark):
    rows = list(benchmark["precision_rows"]())
    assert [row.rival for row in rows] == ["float32"] * 3
    assert all("amp: auto" in row.work for row in rows)


def test_machine_line_names_date_machine_and_versions(benchmark):
    line = benchmark["machine"]()
    for part in (
        "20",
        torch.backends.cpu.get_cpu_capability(),
        "cores",
        "threads",
        "torch ",
        "scipy ",
        "edt ",
        "load ",
    ):
        assert part in line
