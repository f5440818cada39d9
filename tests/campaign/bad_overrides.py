"""Overrides and configurations that the bundle runner has to refuse before it reads any data."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from regionwise import cli
from regionwise.phantoms.write import phantom

from ..packaging.packing import write_run
from ..run_bundles.running import arguments, config, evaluation_overrides, run_here, training
from .trial import Ending, Trial, files_of, find_problem, run

# What the ids that people set hold, and values that are none of each kind.
KINDS = {
    "path": ("output_dir", "cache_dir", "bundle_root"),
    "data": ("dataset_dir",),
    "file": ("checkpoint",),
    "device": ("device",),
    "count": ("epochs", "iterations_per_epoch", "val_interval", "batch_size", "folds", "num_classes"),
    "index": ("seed", "fold", "num_workers", "slice_axis"),
    "number": ("learning_rate", "gradient_norm"),
    "share": ("foreground_fraction", "ema_decay"),
    "limit": ("max_minutes", "patience"),
    "switch": ("resume", "gradient_signs", "tta", "probabilities", "save_probabilities", "amp"),
    "name": ("loss", "distance", "on_collapse", "split", "section", "decoding", "protocol", "regions"),
    "sizes": ("patch_size", "filters", "kernel_size", "upsampling"),
    "classes": ("largest_component",),
    "weights": ("class_weights",),
}
_NO_VALUES = ("[[", "{a: 1}", "[[]]", "[None]", "x" * 2000)
_NO_NUMBERS = ("abc", "-1", "nan", "inf", "-inf", "1e999", "[1]", "[]", "None", "True", "''", "1.2.3", *_NO_VALUES)
NO_VALUES: dict[str, tuple[str, ...]] = {
    "path": ("''", "True", "None", "[]", "{a: 1}", "text.txt", "text.txt/below", "' '"),
    "data": ("''", "none", "empty", "text.txt", "5", "[a, b]", "True", "{a: 1}"),
    "file": ("none.pt", "text.txt", "empty", "[]", "[none.pt]", "5", "True", "''", "{a: 1}"),
    "device": ("cuda:77", "gpu", "5", "[]", "None", "''", "cpu:x", "meta2"),
    "count": ("0", "1.5", *_NO_NUMBERS),
    "index": ("1.5", "99", *_NO_NUMBERS),
    "number": ("0", *_NO_NUMBERS),
    "share": ("1.5", *_NO_NUMBERS),
    "limit": ("0", *(text for text in _NO_NUMBERS if text not in ("None",))),
    "switch": ("maybe", "2", "0", "[]", "None", "''", "[True]", *_NO_VALUES[1:]),
    "name": ("nonesuch", "5", "True", "[a]", "''", "RRW!", "\u00e9", *_NO_VALUES[1:]),
    "sizes": ("5", "abc", "[]", "[0, 0]", "[-1, 4]", "[1.5, 2]", "[a, b]", "None", "[4]", *_NO_VALUES[1:4]),
    "classes": ("[9]", "[0]", "[-1]", "[a]", "[1.5]", "abc", "5", "None", "[[1]]"),
    "weights": ("[]", "[1]", "[1, 2, 3, 0]", "[1, 2, 3, -1]", "[1, 2, 3, nan]", "abc", "5", "{0: 1}"),
}
# A seed may be any number; a network that was recorded does not ask for the ids it was made from; where --output_dir is
# given, nothing is looked for in the bundle's own folder.
USABLE = {
    ("seed", "99"), ("num_workers", "99"), ("filters", "[4]"), ("kernel_size", "[4]"), ("upsampling", "[4]"),
    *(("bundle_root", text) for text in NO_VALUES["path"]),
}  # fmt: skip
NO_CONFIGS = {
    "missing.json": None,
    "empty.json": "",
    "list.json": "[]",
    "null.json": "null",
    "number.json": "5",
    "half.json": '{"seed": ',
    "deep.json": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "bytes.json": "\udcff\udcfe",
    "twice.json": '{"seed": 1, "seed": 2}',
    "nan.json": '{"seed": NaN}',
    "circle.json": '{"fold": "@split", "split": "@fold"}',
    "macro.json": '{"fold": "%nope"}',
    "expression.json": '{"fold": "$@split["}',
    "unknown_reference.json": '{"fold": "@nonesuch"}',
    "unknown_target.json": '{"fold": {"_target_": "torch.devise"}}',
}
# The runner reads its files before any code of a bundle: what it cannot read ends in its own traceback, and only
# `lint` has a line for it.
LEFT_TO_LINT = ("missing", "empty", "list", "null", "number", "half", "deep", "bytes")


def try_runner(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of training and evaluation with one override, or one file, that is wrong."""
    prepare(folder)
    before = files_of(folder)
    for number, broken in enumerate(NO_CONFIGS):
        name = ("train", "evaluate")[number % 2]
        ending = run(cli.main, ["lint", f"[{config('acdc', name)},{folder / broken}]"])
        yield Trial("lint", f"regionwise lint [{name}.json,{broken}]", find_problem(ending, before, files_of(folder)))
    for number in range(count):
        name, run_id = ("train", "training") if number % 2 else ("evaluate", "evaluating")
        right = _training(folder) if number % 2 else _evaluation(folder)
        files, overrides, wrong = _draw(random, name, folder, right)
        result = run_here(*arguments(run_id, *files, **overrides))
        ending = Ending(result.status, result.out, result.err)
        must_refuse = (wrong[0], wrong[1]) not in USABLE
        problem = find_problem(ending, before, files_of(folder), ("out",), must_refuse)
        shown = wrong[1] if len(wrong[1]) < 100 else f"{wrong[1][:20]}... ({len(wrong[1])} characters)"
        yield Trial(f"runner: {name}.json", f"{run_id} --{wrong[0]} {shlex.quote(shown)}", problem)
        for path in folder.glob("out*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def prepare(folder: Path) -> None:
    """Write a dataset, a run with random weights, and files that are of no use."""
    (folder / "empty").mkdir(parents=True)
    phantom("acdc", str(folder / "acdc"), subjects=2, size=32, preset="small")
    write_run(folder / "run")
    (folder / "text.txt").write_text("no scan\n")
    for name, text in NO_CONFIGS.items():
        if text is not None:
            (folder / name).write_text(text, errors="surrogateescape")


def _training(folder: Path) -> dict[str, Any]:
    return training("acdc", dataset_dir=folder / "acdc", output_dir=folder / "out", cache_dir=folder / "out_cache")


def _evaluation(folder: Path) -> dict[str, Any]:
    given = {"dataset_dir": folder / "acdc", "output_dir": folder / "out", "checkpoint": folder / "run" / "model.pt"}
    return evaluation_overrides("acdc", **given, args_file=folder / "run" / "network.json")


def _draw(
    random: np.random.Generator, name: str, folder: Path, overrides: dict[str, Any]
) -> tuple[list[Path], dict[str, Any], tuple[str, str]]:
    """Return config files and overrides with one thing wrong, and what it is."""
    file = config("acdc", name)
    ids = json.loads(file.read_text(encoding="utf-8"))
    kind = random.random()
    if kind < 0.15:
        broken = str(random.choice([one for one in NO_CONFIGS if not one.startswith(LEFT_TO_LINT)]))
        return [file, folder / broken], overrides, ("config_file", broken)
    if kind < 0.25:
        # Below anything but a mapping the runner itself asks for a number, in a traceback of its own.
        mappings = [one for one, value in ids.items() if isinstance(value, dict) and one not in overrides]
        misspelt = random.random() < 0.5
        wrong = str(random.choice(list(ids)))[:-1] if misspelt else f"{random.choice(mappings)}#nonesuch"
        return [file], overrides | {wrong: "1"}, (wrong, "1")
    known = [(kind, one) for kind, names in KINDS.items() for one in names if one in ids]
    kind_of, option = known[int(random.integers(len(known)))]
    text = str(random.choice(NO_VALUES[kind_of]))
    given = text
    if kind_of in ("path", "data", "file") and (folder / text.split("/")[0]).exists() and text.strip("'\" "):
        given = str(folder / text)
    return [file], overrides | {option: given}, (option, text)
