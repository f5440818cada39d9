"""Fixtures that every test folder shares."""

from collections.abc import Callable
from pathlib import Path

import pytest
from regionwise.phantoms.write import phantom

from .run_bundles.running import DATASETS, Run, train_here

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PHANTOM_SIZES = {"acdc": 48, "brats": 40, "kits": 40, "hippocampus": 40}


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real scans beside the checkout; skip where it is absent (as on a user's machine)."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real scans at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory) -> dict[str, Path]:
    """Return, for each bundle, a dataset of four small synthetic subjects; tests do not change it."""
    root = tmp_path_factory.mktemp("phantoms")
    for bundle, dataset in DATASETS.items():
        phantom(dataset, str(root / bundle), subjects=4, size=PHANTOM_SIZES[bundle], preset="small")
    return {bundle: root / bundle for bundle in DATASETS}


@pytest.fixture(scope="session")
def trained(phantoms, tmp_path_factory) -> Callable[[str], Run]:
    """Return a function that gives the one short training of a bundle; tests do not change it."""
    runs: dict[str, Run] = {}

    def get(bundle: str) -> Run:
        if bundle not in runs:
            folder = tmp_path_factory.mktemp(f"trained_{bundle}")
            runs[bundle] = train_here(bundle, phantoms[bundle], folder / "run", folder / "cache")
        return runs[bundle]

    return get
