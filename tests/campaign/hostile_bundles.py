"""Packed bundles with code put together at random, which `verify` has to list or refuse without running any."""

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from regionwise import cli
from regionwise.packaging.archive import read_bundle

from ..packaging import hostile
from ..packaging.packing import pack_tiny, repack
from .trial import Trial, files_of, find_problem, run

CALLS = (
    hostile.EVIL,
    f"open({str(hostile.MARK)!r}, 'w').close()",
    f"eval({hostile.EVIL!r})",
    f"exec({hostile.EVIL!r})",
    f"().__class__.__mro__[1].__subclasses__()[0]({str(hostile.MARK)!r})",
    f"torch.hub.os.system('touch {hostile.MARK}')",
    f"torch.load({str(hostile.MARK)!r}, weights_only=False)",
    f"getattr(torch, 'lo' + 'ad')({str(hostile.MARK)!r})",
    f"monai.utils.misc.run_cmd(['touch', {str(hostile.MARK)!r}])",
    f"np.load({str(hostile.MARK)!r}, allow_pickle=True)",
    "breakpoint()",
    "input()",
    "globals()",
    f"vars()['__builtins__']['open']({str(hostile.MARK)!r}, 'w')",
    "glob.os.system('id')",
)
AROUND = (
    "{}",
    " {}",
    "({})",
    "[{}][0]",
    "{{1: {}}}[1]",
    "1 if {} else 2",
    "None or {}",
    "not {}",
    "(lambda: {})()",
    "[{} for _ in [1]]",
    "len([{}])",
    "str({})",
    "f'{{{}}}'",
    "(x := {})",
    "max(1, *[{}])",
    "dict(a={})",
    "@device if {} else @device",
)
TARGETS = (
    "os.system", "subprocess.Popen", "subprocess.run", "builtins.exec", "builtins.__import__", "posix.system",
    "pickle.loads", "shutil.rmtree", "importlib.import_module", "operator.attrgetter", "functools.partial",
    "torch.load", "torch.hub.load", "torch.jit.load", "torch.utils.cpp_extension.load", "numpy.load", "run_cmd",
    "monai.bundle.run", "monai.bundle.scripts.download", "monai.apps.utils.download_url", "ctypes.CDLL",
    "code.interact", "multiprocessing.Process", "socket.create_connection", "webbrowser.open", "urllib.request.urlopen",
    "pty.spawn", "regionwise.files.write_text", "regionwise.packaging.hub.push",
    "runpy.run_path", "logging.config.fileConfig",
)  # fmt: skip
IMPORTS = (
    "$import subprocess", "$import subprocess as glob", "$from os import system as len", "$from torch import os",
    "$import pickle, torch", "$import importlib as monai", "$from builtins import *", "$import torch.hub as torch",
)  # fmt: skip
MACROS = ("%/etc/passwd.json::x", "%../x.yaml::y", "%docs/x.json#y", "%~/x.json::a", "%C:\\x.json::a")
SUFFIXES = (".py", ".pyc", ".so", ".pth", ".pyd", ".yaml", ".pkl", ".npy", ".sh", ".zip", ".egg", ".dll", ".ipynb")
FOLDERS = (
    "",
    "configs/",
    "docs/",
    "models/",
    "scripts/",
    "torch/",
    "monai/",
    "regionwise/",
    "regionwise/data/",
    "x/y/",
)


def try_bundles(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of `verify` on bundles with code at a random place, none of which may run."""
    packed = pack_tiny(folder / "tiny")
    for number in range(count):
        what, changes = draw(random, packed)
        file = repack(packed, folder / "bundle.zip", changes)
        yield _try_one("hostile bundles, drawn", f"{number}: {what}", file)


def try_known_tricks(random: np.random.Generator, count: int, folder: Path) -> Iterator[Trial]:
    """Yield trials of `verify` on a sample of the tricks of ``tests/packaging/hostile.py``."""
    packed = pack_tiny(folder / "tiny")
    tricks = {**hostile.listed(), **hostile.refused()}
    for name in random.permutation(list(tricks))[:count]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile about a name that is there twice
            file = tricks[str(name)][0](packed, folder / "bundle.zip")
        yield _try_one("hostile bundles, known", str(name), file)


def _try_one(area: str, what: str, file: Path) -> Trial:
    hostile.MARK.unlink(missing_ok=True)
    inside = file.parent / "inside"
    inside.mkdir(exist_ok=True)
    ran: list[str] = []

    def not_run(*_: object) -> dict[str, str]:
        ran.append("ran")
        return {}

    with contextlib.chdir(inside), mock.patch("regionwise.packaging.verify.run_trial", not_run):
        ending = run(cli.main, ["verify", str(file)])
    problem = find_problem(ending, {}, files_of(inside))
    if ran or hostile.MARK.exists():
        problem = "its code would have run" if ran else f"its code ran: {hostile.MARK} is there"
    hostile.MARK.unlink(missing_ok=True)
    return Trial(area, what, problem)


def draw(random: np.random.Generator, packed: Path) -> tuple[str, dict[str, bytes | None]]:
    """Return words for a trick, and the files of the bundle that it changes."""
    if random.random() < 0.2:
        path = f"{random.choice(FOLDERS)}m{random.integers(1000)}{random.choice(SUFFIXES)}"
        return f"file {path}", {path: hostile.EVIL_MODULE}
    contents = read_bundle(packed).contents
    names = [name for name in contents if name.startswith("configs/") and name.endswith(".json")]
    name = str(random.choice(names))
    config = json.loads(contents[name])
    payload = draw_payload(random)
    place = put(random, config, payload)
    text = json.dumps(config)
    if random.random() < 0.3:  # the same JSON in other letters
        text = text.replace("$", "\\u0024").replace("_target_", "\\u005ftarget_")
    return f"{name} {place}: {json.dumps(payload)[:120]}", {name: text.encode()}


def draw_payload(random: np.random.Generator) -> Any:
    """Return a value that would run code."""
    expression = "$" + str(random.choice(AROUND)).format(random.choice(CALLS))
    kinds = [
        expression,
        expression,
        {"_target_": str(random.choice(TARGETS)), "args": ["x"]},
        {"_target_": "Compose", "_requires_": expression},
        {"_target_": "Compose", "_disabled_": expression},
        {"_target_": "Compose", "transforms": [{"_target_": str(random.choice(TARGETS))}]},
        [[{"deep": {"er": expression}}]],
        str(random.choice(MACROS)),
        str(random.choice(IMPORTS)),
    ]
    return kinds[int(random.integers(len(kinds)))]


def put(random: np.random.Generator, config: Any, payload: Any) -> str:
    """Put a value at a random place of a configuration, and return the place."""
    here, path = config, []
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        deeper = [key for key in keys if isinstance(here[key], dict | list) and here[key]]
        if not deeper or random.random() < 0.35:
            break
        key = deeper[int(random.integers(len(deeper)))]
        path.append(str(key))
        here = here[key]
    if isinstance(here, list):
        here.append(payload)
        return "#".join([*path, str(len(here) - 1)])
    key = (
        "more" if random.random() < 0.5 else str(random.choice([key for key in here if key != "_target_"] or ["more"]))
    )
    here[key] = payload
    return "#".join([*path, key])
