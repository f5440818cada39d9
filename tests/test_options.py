"""Converting what a command line gives."""

from pathlib import Path

import pytest
from regionwise.errors import InputError
from regionwise.options import as_flag, as_path


@pytest.mark.parametrize("value", [True, "true", "True", "TRUE", " true "])
def test_switches_that_are_on(value):
    assert as_flag(value) is True


@pytest.mark.parametrize("value", [False, "false", "False", "FALSE"])
def test_switches_that_are_off(value):
    assert as_flag(value) is False


@pytest.mark.parametrize("value", ["yes", "", 1, 0, None, "1", [True]])
def test_what_is_no_switch_raises(value):
    with pytest.raises(InputError, match=r"^expected --resume to be true or false, found "):
        as_flag(value, "resume")


@pytest.mark.parametrize(("value", "path"), [("a/b", "a/b"), (5, "5"), (2.5, "2.5"), (Path("x"), "x")])
def test_numbers_are_names_of_folders(value, path):
    assert as_path(value) == Path(path)


@pytest.mark.parametrize(
    ("value", "found"),
    [("", "an empty text"), (" ", "an empty text"), (True, "True"), (None, "None"), (["a"], r"\['a'\]")],
)
def test_what_is_no_path_raises(value, found):
    with pytest.raises(InputError, match=f"^expected --out to be a path, found {found}$"):
        as_path(value, "out")
