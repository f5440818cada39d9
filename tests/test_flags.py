import pytest
from regionwise.errors import InputError
from regionwise.flags import is_on


@pytest.mark.parametrize("value", [True, "true", "True", " TRUE "])
def test_on(value):
    assert is_on(value) is True


@pytest.mark.parametrize("value", [False, "false", "False"])
def test_off_though_any_text_is_true_in_python(value):
    assert is_on(value) is False


def test_either_of_two_switches():
    assert is_on("false", "true")
    assert not is_on(False, "false")


@pytest.mark.parametrize("value", ["yes", "", 1, 0, None])
def test_what_is_no_switch(value):
    with pytest.raises(InputError, match=f"expected true or false, found {value!r}"):
        is_on(value)
    with pytest.raises(InputError, match="expected true or false"):
        is_on(True, value)
