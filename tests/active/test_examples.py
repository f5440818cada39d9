import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["ranking", "scores"])
def test_the_examples_of_the_docstrings_run(module):
    results = doctest.testmod(importlib.import_module(f"regionwise.active.{module}"))
    assert results.attempted > 0
    assert results.failed == 0
