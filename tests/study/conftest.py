"""The modules of `scripts/study`, which import each other by name, and a small table."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "scripts" / "study"
sys.path.insert(0, str(STUDY))


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
