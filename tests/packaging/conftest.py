"""The packed bundle that the tests of this folder read."""

from pathlib import Path

import pytest

from .packing import pack_tiny, unpack


@pytest.fixture(scope="session")
def packed_zip(tmp_path_factory) -> Path:
    """Return the zip of a tiny packed bundle; tests do not change it."""
    return pack_tiny(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def packed_folder(packed_zip, tmp_path) -> Path:
    """Return a folder of its own with the packed bundle."""
    return unpack(packed_zip, tmp_path / "unpacked")
