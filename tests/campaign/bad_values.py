"""Values that no option of a command takes, drawn from the annotations of its parameters."""

import contextlib
import inspect
import shlex
import shutil
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from regionwise import cli
from regionwise.phantoms.write import phantom

from ..packaging.packing import pack_tiny
from .label_maps import labels, write_labels
from .trial import Ending, Trial, files_of, find_problem, run

WEIGHTS = {"checkpoint": "tiny/run/model.pt", "network": "tiny/run/network.json"}
# A command that is right, by paths in the folder that `prepare` makes; outputs start with "out".
RIGHT: dict[str, dict[str, str]] = {
    "phantom": {"dataset": "acdc", "out": "out", "subjects": "1", "size": "32", "preset": "small"},
    "check": {"dataset": "acdc", "dir": "acdc"},
    "evaluate": {"predictions": "predictions", "references": "references", "out": "out", "workers": "1"},
    "predict": {
        "bundle": "tiny/source/acdc_rrw",
        "input": "scan.nii.gz",
        "output_dir": "out",
        "checkpoint": "tiny/run/model.pt",
        "args_file": "tiny/run/network.json",
        "tta": "false",
        "device": "cpu",
    },
    "calibrate": {
        "predictions": "predictions",
        "references": "references",
        "out": "out",
        "classes": "one,two",
        "alpha": "0.5",
    },
    "next": {"unlabelled": "scan.nii.gz", "model": "tiny/source/acdc_rrw", "out": "out", **WEIGHTS},
    "replay": {"dir": "acdc", "model": "tiny/source/acdc_rrw", "out": "out", "start": "1", "step": "1"},
    "quantize": {"model": "tiny/source/acdc_rrw", "dir": "acdc", "out": "out", "folds": "2", **WEIGHTS},
    "fuse": {"raters": "[predictions,references]", "out": "out"},
    "compare": {"results": "[results_a,results_b]", "out": "out", "permutations": "50"},
    "gradients": {"labels": "references/a.nii.gz", "output": "out.png"},
    "lint": {"config": "train.json"},
    "pack": {"bundle": "tiny/source/acdc_rrw", "checkpoint": "tiny/run", "out": "out"},
    "verify": {"bundle": "tiny.zip", "execute": "false"},
    "export": {"bundle": "tiny.zip", "out": "out", "formats": "ts"},
    "dicom": {"bundle": "tiny.zip", "input": "empty", "output_dir": "out"},
    "push": {"bundle": "tiny.zip", "to": "out"},
    "pull": {"source": "share", "out": "out"},
}
# Options that name what is read and what is written; the other texts are names that exist or do not.
READ = {
    "predictions", "references", "dir", "labels", "config", "bundle", "checkpoint", "input", "source", "results",
    "probabilities", "images", "evaluation", "groups", "inter_rater", "raters", "args_file", "calibration",
    "uncertainty", "unlabelled", "model", "network",
}  # fmt: skip
WRITTEN = {"out", "output", "output_dir", "to"}
# Any name will do, any text is a version or a repository, and a string among numbers is read as one of them.
ANY_TEXT = {"classes", "rename", "to", "pattern", "output_layer"}

NO_PATHS_TO_READ = (
    "none",
    "empty",
    "binary",
    "text.txt",
    "./none/none",
    "2026",
    "x" * 300,
    "\u00e9\u4e2d \U0001f600",
    "[x]",
)
NO_PATHS_TO_WRITE = ("text.txt", "text.txt/below", "binary/below/more", "x" * 300, "/proc/none/below", "/dev/null")
NO_NAMES = ("none-such", "5", "[a,b]", "{a: b}", "\u00e9", "../..", "x" * 3000, "$(date)", "<b>", "None.")
NO_NUMBERS = (
    "abc",
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1,",
    "[",
    "{",
    "[]",
    "{}",
    "1 2",
    "0x",
    "--",
    "true",
    "\u0665x",
)
NO_COLLECTIONS = ("[", "{", "[]", "{}", "{:}", "{1:[}", "[[" * 5000, "{" * 5000, "", "{[1]: 2}", "[None]", "lambda: 0")


@dataclass(frozen=True)
class Line:
    """A command line.

    Attributes:
        words: What is typed after ``regionwise``.
        must_refuse: Whether no reading of it makes sense.
    """

    words: list[str]
    must_refuse: bool = True


def prepare(folder: Path) -> Path:
    """Write what the right commands read."""
    for name in ("predictions", "references", "empty", "share"):
        (folder / name).mkdir(parents=True)
    for number, case in enumerate(("a", "b", "c")):
        write_labels(folder / "references" / f"{case}.nii.gz", labels(number))
        write_labels(folder / "predictions" / f"{case}.nii.gz", np.roll(labels(number), 1, axis=0))
    write_labels(folder / "scan.nii.gz", np.random.default_rng(0).normal(100, 20, labels(0).shape).astype(np.float32))
    (folder / "text.txt").write_text("no scan\n")
    (folder / "binary").write_bytes(bytes(range(256)) * 8)
    phantom("acdc", str(folder / "acdc"), subjects=2, size=32, preset="small")
    packed = pack_tiny(folder / "tiny")
    packed.rename(folder / "tiny.zip")
    shutil.copytree(folder / "tiny" / "source" / "acdc_rrw" / "configs", folder, dirs_exist_ok=True)
    for words in (
        ["evaluate", "predictions", "references", "--out", "results_a", "--workers", "1"],
        ["evaluate", "references", "references", "--out", "results_b", "--workers", "1"],
        ["push", "tiny.zip", "share"],
    ):
        ending = run_in(folder, words)
        assert ending.status == 0, ending
    return folder


def run_in(folder: Path, words: Sequence[str]) -> Ending:
    """Run a command in this process, as if typed in a folder."""
    with contextlib.chdir(folder):
        return run(cli.main, list(words))


def try_commands(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of commands with a value, or a word, that is wrong."""
    prepare(folder)
    before = files_of(folder)
    for number in range(count):
        command = list(cli.COMMANDS)[number % len(cli.COMMANDS)]
        line = draw_line(random, command)
        ending = run_in(folder, line.words)
        problem = find_problem(ending, before, files_of(folder), ("out",), line.must_refuse)
        yield Trial(f"command {command}", f"regionwise {shlex.join(map(_short, line.words))}", problem)
        _restore(folder, before)


def draw_line(random: np.random.Generator, command: str) -> Line:
    """Return a command line with one thing wrong."""
    function = cli._load(command)
    hints = get_type_hints(function)
    named = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    right = RIGHT[command]
    if random.random() < 0.2:
        return Line(_misspell(random, command, right, hints, named))
    option = str(random.choice(named))
    text, must_refuse = draw_value(random, option, hints[option])
    given = right | {option: text}
    if command == "lint":
        must_refuse = must_refuse and option == "config"
    return Line([command, *_options(given)], must_refuse)


def draw_value(random: np.random.Generator, option: str, annotation: Any) -> tuple[str, bool]:
    """Return a text for an option, and whether it is none of its values."""
    kinds = set(_kinds(annotation))
    if option in READ and bool not in kinds:
        return str(random.choice(NO_PATHS_TO_READ)), True
    if option in WRITTEN or (option == "skip_bad" and bool not in kinds):  # of `check`, the split to write
        return str(random.choice(NO_PATHS_TO_WRITE)), True
    if bool in kinds:
        return str(random.choice(["maybe", "2", "yes", "[true]", "tru", "", "-1"])), True
    if str in kinds:
        texts = NO_NAMES if not kinds & {list, dict} else (*NO_NAMES, *NO_COLLECTIONS)
        return str(random.choice(texts)), option not in ANY_TEXT
    if kinds & {list, dict}:
        return str(random.choice([text for text in (*NO_NUMBERS, *NO_COLLECTIONS) if text != "true"])), True
    negative = str(-int(random.integers(1, 1000)))
    whole = ["1.5", "2.0", "1e3"] if float not in kinds else []
    return str(random.choice([*NO_NUMBERS, *whole, negative])), True


def _kinds(annotation: Any) -> Iterator[type]:
    """Yield the plain types that an annotation is made of."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        for one in arguments:
            yield from _kinds(one)
    elif origin is not None and issubclass(origin, Mapping):
        yield dict
    elif origin is not None and issubclass(origin, Sequence):
        yield list
        yield from _kinds(arguments[0])
    elif annotation in (int, float, bool, str):
        yield annotation


def _misspell(
    random: np.random.Generator, command: str, right: Mapping[str, str], hints: Mapping[str, Any], named: list[str]
) -> list[str]:
    """Return the words of a right command line with one word wrong: a name, a double, a missing or a surplus one."""
    words = _options(right)
    option = str(random.choice(list(right)))
    required = next(iter(right))
    place = words.index(f"--{option}")
    takes_any = command in ("lint", "predict")
    kind = int(random.integers(2, 4)) if takes_any else int(random.integers(5))
    if kind == 0:
        wrong = option + "x" if random.random() < 0.5 else option[::-1] + "q"
        return [command, *words[:place], f"--{wrong}", *words[place + 1 :]]
    if kind == 1:
        return [command, *words, "--nonesuch=1"]
    if kind == 2:
        return [command, *words, f"--{option}", right[option]]
    if kind == 3:
        start = words.index(f"--{required}")
        return [command, *words[:start], *words[start + 2 :]]
    if hints[option] is bool:
        return [command, *words[: place + 1], "maybe", *words[place + 2 :]]
    return [command, *words[: place + 1], *words[place + 2 :]]


def _options(given: Mapping[str, str]) -> list[str]:
    return [word for name, value in given.items() for word in (f"--{name}", value)]


def _short(word: str) -> str:
    return word if len(word) <= 80 else f"{word[:20]}... ({len(word)} characters)"


def _restore(folder: Path, before: Mapping[str, str]) -> None:
    """Remove what a command wrote."""
    for path in folder.iterdir():
        if path.name.startswith("out"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in files_of(folder):
        if name not in before:
            (folder / name).unlink()
