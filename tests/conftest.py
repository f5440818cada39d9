"""Fixtures that every test folder shares."""

from pathlib import Path

import pytest

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real scans beside the checkout; skip where it is absent (as on a user's machine)."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real scans at {REAL_DATA}")
    return REAL_DATA
