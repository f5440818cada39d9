import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "metrics.overlap",
        "metrics.surface",
        "evaluation.evaluate",
        "evaluation.stripes",
        "evaluation.comparison.clusters",
        "evaluation.comparison.permutation",
        "evaluation.comparison.bootstrap",
        "evaluation.comparison.statistics",
        "evaluation.comparison.ranking",
        "evaluation.comparison.variance",
    ],
)
def test_the_examples_of_the_docstrings_run(module):
    results = doctest.testmod(importlib.import_module(f"regionwise.{module}"), optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0
