"""Words of a command line become the arguments of a function."""

import os
from typing import Any

import pytest
from regionwise.arguments import bind
from regionwise.errors import InputError


def command(path: str, out: str | os.PathLike, workers: int = 1, strict: bool = False, seed: int | None = None):
    """Do nothing."""


def many(first: str, *more: str, out: str, level: float = 0.5):
    """Do nothing."""


def open_ended(config: str, **overrides: Any):
    """Do nothing."""


@pytest.mark.parametrize(
    ("function", "words", "arguments"),
    [
        (command, "--path a --out b", ([], {"path": "a", "out": "b"})),
        (command, "a b --strict", ([], {"path": "a", "out": "b", "strict": True})),
        (command, "a --strict false b", ([], {"path": "a", "out": "b", "strict": False})),
        (command, "a b --strict=FALSE", ([], {"path": "a", "out": "b", "strict": False})),
        (command, "a b --nostrict", ([], {"path": "a", "out": "b", "strict": False})),
        (command, "a --out b --seed -1", ([], {"path": "a", "out": "b", "seed": -1})),
        (command, "--out=b a", ([], {"path": "a", "out": "b"})),
        (command, "a b 3", ([], {"path": "a", "out": "b", "workers": 3})),
        (many, "--first a b c --out o", (["a", "b", "c"], {"out": "o"})),
        (many, "a --out o --level 1", ([], {"first": "a", "out": "o", "level": 1})),
        (many, "a b --out o", (["a", "b"], {"out": "o"})),
        (open_ended, "c.json --epochs 5 --loss rrw+dice", ([], {"config": "c.json", "epochs": 5, "loss": "rrw+dice"})),
        (open_ended, "c --resume --a#b -1", ([], {"config": "c", "resume": True, "a#b": -1})),
    ],
)
def test_words_become_arguments(function, words, arguments):
    assert bind("do", function, words.split()) == arguments


@pytest.mark.parametrize(
    ("function", "words", "message"),
    [
        (command, "a --strict b", "expected --strict to be true or false, found 'b'"),
        (command, "a", "'do' needs --out; see python -m regionwise do --help"),
        (command, "a b 1 true 3 c", "'do' does not know what 'c' is for; put --NAME before it"),
        (command, "a b --workers", "expected a value after --workers, found nothing"),
        (command, "a b --workers --strict", "expected a value after --workers, found --strict"),
        (command, "a b --seed 1 --seed 2", "'do' got --seed twice; give it once"),
        (command, "a b --wrokers 1", "'do' has no option --wrokers; did you mean 'workers'? choices: "),
        (command, "a b -w 1", "'do' has no option -w; choices: out, path, seed, strict, workers"),
        (command, "a b --noworkers", "'do' has no option --noworkers; did you mean 'workers'? choices: "),
        (many, "a b", "'do' needs --out"),
        (many, "a b --level x --out o", "expected --level to be a number, found 'x'"),
    ],
)
def test_words_that_fit_no_function(function, words, message):
    with pytest.raises(InputError) as error:
        bind("do", function, words.split())
    assert str(error.value).startswith(message)
