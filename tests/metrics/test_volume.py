import pytest
from regionwise.metrics import volume_ml


def test_a_thousand_cubic_millimeters_are_one_milliliter():
    assert volume_ml(1000, (1, 1, 1)) == 1
    assert volume_ml(10, (8, 1.25, 1)) == pytest.approx(0.1)
    assert volume_ml(0.5, (10, 10, 10)) == pytest.approx(0.5)
