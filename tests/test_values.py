"""A text of a command line becomes a value of a type, or one line says what was expected."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regionwise.errors import InputError
from regionwise.values import convert

NAMES = str | Sequence[str] | Mapping[int, str] | None
NUMBERS = Sequence[float] | float


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("3", int, 3),
        ("-3", int, -3),
        ("None", int | None, None),
        ("0.5", float, 0.5),
        ("-1e-3", float, -0.001),
        ("true", bool, True),
        ("FALSE", bool, False),
        ("False", bool | None, False),
        ("2026", str, "2026"),
        ("1e3", str | os.PathLike, "1e3"),
        ("[x]", str | os.PathLike, "[x]"),
        ("007", Path, Path("007")),
        ("false", str, "false"),
        ("None", str | None, None),
        ("RV,LV", NAMES, "RV,LV"),
        ("[RV, LV]", NAMES, ["RV", "LV"]),
        ("[left-atrium, 'RV']", NAMES, ["left-atrium", "RV"]),
        ("['a b', 3]", NAMES, ["a b", "3"]),
        ("{1: RV, 3: LV}", NAMES, {1: "RV", 3: "LV"}),
        ("1,2", NUMBERS, [1, 2]),
        ("(0.5, 2)", NUMBERS, [0.5, 2]),
        ("1", float | list[float], 1),
        ("1,2", float | list[float], [1, 2]),
        ("{WT: [1, 2], ET: 3,}", Mapping[str, Sequence[int]], {"WT": [1, 2], "ET": [3]}),
        ("[1, {a: b}]", Any, [1, {"a": "b"}]),
    ],
)
def test_a_text_becomes_a_value(text, annotation, value):
    found = convert("--x", text, annotation)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "annotation", "expected"),
    [
        ("1.5", int, "an integer"),
        ("1e4", int, "an integer"),
        ("true", int, "an integer"),
        ("abc", int | None, "an integer"),
        ("nan", float, "a number"),
        ("-inf", float, "a number"),
        ("1", bool, "true or false"),
        ("maybe", bool, "true or false"),
        ("1,x", NUMBERS, "numbers with commas between or a number"),
        ("[]", NUMBERS, "numbers with commas between or a number"),
        ("[RV, ", NAMES, "a text or names with commas between or {integer: text, ...}"),
        ("{1.5: x}", NAMES, "a text or names with commas between or {integer: text, ...}"),
        ("a,,b", list[str], "names with commas between"),
        ("5", dict[int, int], "{integer: integer, ...}"),
        ("{1: 2, 1: 3}", dict[int, int], "{integer: integer, ...}"),
        ("{1: RV, 2: LV, 1: RV}", NAMES, "a text or names with commas between or {integer: text, ...}"),
        ("{[1]: 2}", dict[int, int], "{integer: integer, ...}"),
        ("[" * 10_000, NUMBERS, "numbers with commas between or a number"),
        ("", str, "a text"),
        (" ", str | os.PathLike, "a text or a path"),
    ],
)
def test_a_text_that_is_no_value_is_said(text, annotation, expected):
    with pytest.raises(InputError) as error:
        convert("--x", text, annotation)
    found = repr(text) if text.strip() else "an empty text"
    assert str(error.value) == f"expected --x to be {expected}, found {found}"


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    text=st.text(max_size=12) | st.text("[]{}(),:'\"-0123456789.einfalstrue ", max_size=12),
    annotation=st.sampled_from([int, float, bool, str, int | None, NAMES, NUMBERS, dict[str, list[int]], Any]),
)
def test_any_text_becomes_a_value_or_one_line(text, annotation):
    try:
        convert("--x", text, annotation)
    except InputError as error:
        assert len(str(error).splitlines()) <= 1
