import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts" / "benchmarks"


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(SCRIPTS))
    yield lambda name: runpy.run_path(str(SCRIPTS / name))
    sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def datasets(scripts, tmp_path_factory):
    benchmark = scripts("benchmark_data.py")
    folder = tmp_path_factory.mktemp("benchmark")
    benchmark["phantom"]("kits", str(folder / "kits"), subjects=1, size=64)
    ours = benchmark["bundle_dataset"]("kits", folder / "kits", folder / "store")
    return benchmark, ours, benchmark["rival_datasets"](ours, slice_axis=0)


def test_rivals_make_samples_of_the_same_shape_from_the_same_voxels(datasets):
    _, ours, rivals = datasets
    sample = ours[0]
    assert set(rivals) == {"RandSpatialCropd", "RandCropByPosNegLabeld"}
    stored = torch.from_numpy(ours.cases[0].image.copy())
    for rival in rivals.values():
        made = rival[0][0] if isinstance(rival[0], list) else rival[0]
        assert {key: made[key].shape for key in sample} == {key: value.shape for key, value in sample.items()}
        assert torch.equal(torch.as_tensor(rival._cache[0]["image"]).half(), stored)


def test_each_sample_is_timed_once_per_dataset_and_the_first_five_do_not_count(datasets):
    benchmark, ours, rivals = datasets
    times = benchmark["sample_times"]([ours, rivals["RandSpatialCropd"]], 3)
    assert [len(values) for values in times] == [3, 3]
    assert min(map(min, times)) > 0


def test_memory_of_a_command_counts_its_children_and_above_the_limit_it_is_stopped(scripts):
    measured = scripts("_large_case.py")["measured"]
    hold = "import time; block = bytearray(200 * 2**20); time.sleep(1)"
    child = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"]
    seconds, gib = measured(child)
    assert seconds > 1
    assert 0.19 < gib < 0.4
    with pytest.raises(MemoryError, match=r"stopped above 0\.1 GiB"):
        measured(child, limit_gib=0.1)
    with pytest.raises(RuntimeError, match="ended with 3"):
        measured([sys.executable, "-c", "raise SystemExit(3)"])


def test_full_size_cases_have_the_shape_and_the_labels(scripts, tmp_path):
    scripts("_large_case.py")["write_kits"](tmp_path / "kits", cases=2, size=64, slices=70)
    from regionwise.datasets import datalist
    from regionwise.nifti import read_image, read_labels

    cases = datalist("kits", tmp_path / "kits", "all")
    assert len(cases) == 2
    for case in cases:
        label = read_labels(case["label"]).array
        assert read_image(case["image"]).array.shape == label.shape == (70, 64, 64)
        assert set(label.flat) == {0, 1, 2}


@pytest.mark.slow
def test_inference_benchmark_runs(tmp_path):
    command = [sys.executable, str(SCRIPTS / "benchmark_inference.py"), "--quick", "--only", "labels"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split()[-1] == "yes"


def test_the_augmentation_s_benchmark_prints_a_row_per_way(tmp_path):
    command = [sys.executable, str(SCRIPTS / "benchmark_augmentation.py"), "--quick", "--folder", str(tmp_path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    names = [line.split("  ")[0].split(":")[0] for line in lines[3:]]
    assert names == ["batch of 6 x 32 x 32 on cpu", "acdc", "kits", "brats"]
