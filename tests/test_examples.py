"""The examples in the docstrings give what they say: of the maps, distances, losses, transforms and scans."""

import doctest
import importlib

import pytest

MODULES = [
    "distance",
    "losses.by_name",
    "losses.dice",
    "losses.generalized",
    "losses.lovasz",
    "losses.region_wise",
    "losses.semimetric",
    "fusion.agreement",
    "fusion.transforms",
    "maps",
    "nifti",
    "scans",
    "soft_labels",
    "training.collapse",
    "transforms",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(f"regionwise.{name}")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.attempted > 0
    assert result.failed == 0
