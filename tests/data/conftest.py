import pytest

from ..datasets.cases import write_case


@pytest.fixture
def item(tmp_path):
    return write_case(tmp_path / "data", "a")
