import pytest
from regionwise.errors import InputError, did_you_mean, find_input_error


def test_the_nearest_name_is_suggested():
    assert did_you_mean("rww", ["rrw", "dice"]) == "did you mean 'rrw'? choices: rrw, dice"


def test_nothing_near_gives_the_choices_alone():
    assert did_you_mean("xyz", ["rrw", "dice"]) == "choices: rrw, dice"


def test_names_that_are_no_strings_work():
    assert did_you_mean(7, [1, 2]) == "choices: 1, 2"


def wrapped(chain):
    """Raise an InputError inside a RuntimeError, as MONAI does, with or without `from`."""
    try:
        raise InputError("the file is missing")
    except InputError as error:
        if chain:
            raise RuntimeError("Failed to instantiate component") from error
        raise RuntimeError("Failed to instantiate component")  # noqa: B904


@pytest.mark.parametrize("chain", [True, False])
def test_an_input_error_is_found_under_what_was_raised_because_of_it(chain):
    with pytest.raises(RuntimeError) as caught:
        wrapped(chain)
    assert str(find_input_error(caught.value)) == "the file is missing"


def test_an_input_error_finds_itself():
    error = InputError("x")
    assert find_input_error(error) is error


def test_other_errors_stay_what_they_are():
    assert find_input_error(KeyError("x")) is None
    assert find_input_error(None) is None
