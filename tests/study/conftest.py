"""The modules of `scripts/study`, which import each other by name, and a small table."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "scripts" / "study"
sys.path.insert(0, str(STUDY))

# A study of seconds: one dataset, two losses, one seed.
TABLE = """
datasets:
  hippocampus: {bundle: hippocampus_rrw, reader: msd}
phantom:
  hippocampus: {subjects: 4, size: 40, split: {folds: 2}}
  all:
    settings:
      epochs: 3
      iterations_per_epoch: 2
      val_interval: 1
      batch_size: 2
      patch_size: [16, 16, 16]
      filters: [4, 8, 8, 8]
      num_workers: 0
      amp: false
      device: cpu
      on_collapse: warn
      "train#trainer#compile": false
    evaluation: {num_workers: 0, amp: false, device: cpu, tta: false}
presets:
  toy:
    data: phantom
    datasets: {hippocampus: {}}
    losses: [rrw, LOSS]
    seeds: [0]
    metrics: [dice]
"""


@pytest.fixture
def table():
    """Return a study table of one dataset, two losses and two seeds."""
    return {
        "datasets": {
            "acdc": {"bundle": "acdc_rrw", "reader": "acdc"},
            "kits": {"bundle": "kits_rrw", "reader": "kits"},
        },
        "phantom": {"acdc": {"subjects": 4, "size": 48}, "all": {"settings": {"epochs": 2}}},
        "presets": {
            "small": {
                "datasets": {"acdc": {}},
                "losses": ["rrw", {"half": {"loss": "rrw:q=0.5", "settings": {"learning_rate": 0.01}}}],
                "seeds": [0, 1],
                "settings": {"epochs": 9},
            }
        },
    }


@pytest.fixture(scope="session")
def snakemake() -> str:
    """Return the program; skip where it is not installed (it is no dependency of the package)."""
    found = os.environ.get("STUDY_SNAKEMAKE") or shutil.which("snakemake") or ROOT / ".venv-study" / "bin" / "snakemake"
    if not Path(found).is_file():
        pytest.skip("no Snakemake: pip install -r scripts/study/requirements.txt, or set STUDY_SNAKEMAKE")
    return str(found)


@pytest.fixture
def study(snakemake, tmp_path):
    """Return a function that starts the script, on the toy study by default, in a folder of ``tmp_path``."""

    def start(out, *options, preset="toy", content=TABLE, loss="dice", comment="", **environment):
        table = tmp_path / "study.yaml"
        table.write_text(comment + content.replace("LOSS", loss))
        command = ["bash", str(ROOT / "scripts" / "study.sh"), preset, "--out", str(tmp_path / out), *options]
        given = {
            "STUDY_PYTHON": sys.executable, "STUDY_SNAKEMAKE": snakemake, "STUDY_TABLE": str(table),
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        return subprocess.Popen(
            command, env={**os.environ, **given, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip

    return start


def finish(process, timeout=900):
    """Return what a study prints that ends well."""
    out, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, out
    return out
