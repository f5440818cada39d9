"""Packed bundles that someone made to run code, or to break what reads them: one entry per trick.

Where code would run, it makes the file PWNED in the working directory, and `MARK`.
"""

import io
import json
import os
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from regionwise.packaging.archive import read_bundle

from .packing import repack, write_zip

MARK = Path(tempfile.gettempdir()) / f"PWNED-{os.getpid()}"
EVIL = f"__import__('os').system('touch PWNED {MARK}')"
EVIL_MODULE = f"open('PWNED', 'w'); open({str(MARK)!r}, 'w')\n".encode()
INFERENCE, TRAIN, METADATA = "configs/inference.json", "configs/train.json", "configs/metadata.json"
LOGGING = "configs/logging.conf"

Trick = Callable[[Path, Path], Path]
RUN_CMD = {"_target_": "run_cmd", "cmd_list": ["touch", "PWNED", str(MARK)]}
CALL = {"_target_": "subprocess.run", "_mode_": "callable", "args": ["touch", str(MARK)]}
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


def changed(file: Path, target: Path, changes: dict[str, Any], path: str = INFERENCE) -> Path:
    """Return the bundle with top-level keys of a configuration changed; ``more_imports`` is added to the imports."""
    config = json.loads(read_bundle(file).contents[path])
    more = changes.get("more_imports", [])
    changes = {key: value for key, value in changes.items() if key != "more_imports"}
    if more:
        changes["imports"] = [*config.get("imports", []), *more]
    return repack(file, target, {path: json.dumps(config | changes).encode()})


def with_text(file: Path, target: Path, path: str, old: str, new: str) -> Path:
    """Return the bundle with the text of a file changed."""
    text = read_bundle(file).contents[path].decode()
    assert old in text
    return repack(file, target, {path: text.replace(old, new, 1).encode()})


def with_member(file: Path, target: Path, name: str | zipfile.ZipInfo, content: bytes = b"x") -> Path:
    """Return the zip with a member that no checksum names."""
    target.write_bytes(file.read_bytes())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(name, content)
    return target


# Name to changed keys of inference.json and what verify lists.
KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "expression": ({"amp": f"${EVIL}"}, "amp: $__import__"),
    "deep in arguments": ({"x": {"_target_": "StatsHandler", "a": [{"b": [f"${EVIL}"]}]}}, "x#a#0#b#0: $"),
    "import alias of a call": (
        {"more_imports": ["$from monai.utils.misc import run_cmd as abs"], "amp": f"$abs(['touch', '{MARK}'])"},
        "$from monai.utils.misc import run_cmd as abs",
    ),
    "import alias of a module": ({"more_imports": ["$import subprocess as glob"]}, "$import subprocess as glob"),
    "import outside of imports": ({"m": "$import torch", "x": "$@m.hub.os.system('touch PWNED')"}, "m: $import torch"),
    "method of an imported module": (
        {"more_imports": ["$import os"], "amp": "$@imports#2.replace('a', 'b')"}, "amp: $@imports#2.replace"
    ),
    "macro that copies imports": ({"a": "%imports", "amp": "$@a[2].system('x')"}, "a: %imports"),
    "reference to imports": ({"a": "@imports"}, "a: @imports (a reference to imported modules)"),
    "reference to everything": ({"amp": "$@['imports'][0].system('x')"}, "amp: $@["),
    "two statements": ({"amp": f"$import torch; {EVIL}"}, "amp: $import torch;"),
    "walrus": ({"amp": "$[(len := x) for x in [1]]"}, "amp: $[(len := "),
    "comprehension that renames a call": ({"amp": "$[len(['touch']) for len in @handlers]"}, "amp: $[len(['touch'])"),
    "lambda": ({"amp": f"$(lambda: {EVIL})()"}, "amp: $(lambda"),
    "attribute chain": ({"amp": "$torch.hub.os.system('touch PWNED')"}, "amp: $torch.hub.os.system"),
    "dunder chain": ({"amp": "$().__class__.__base__.__subclasses__()"}, "__subclasses__"),
    "getattr": ({"amp": "$getattr(torch, 'load')", "x": "$@amp('y')"}, "amp: $getattr(torch, 'load')"),
    "getattr with a reference": ({"d": "load", "amp": "$getattr(torch, @d)"}, "amp: $getattr(torch, @d)"),
    "reference that is called": ({"f": {"_target_": "Compose"}, "amp": "$@f('touch')"}, "amp: $@f('touch')"),
    "formatting that reads attributes": ({"amp": "$'{0.__class__}'.format(@device)"}, "amp: $'{0.__class__}'"),
    "power that never ends": ({"amp": "$9**9**9**9"}, "amp: $9**9"),
    "expression too long": ({"amp": "$" + "-" * 100_000 + "1"}, "amp: $-----"),
    "wide letters": ({"amp": f"${EVIL}".replace("import", "\uff49mport")}, "amp: $__\\uff49mport"),
    "escape sequences": ({"amp": f"${EVIL}#\u001b[2K\r ok"}, "#\\x1b[2K\\r ok"),
    "key of code": ({f"a'] or {EVIL} or @b['": {"c": 1, "d": "$@#c"}}, "it may become part of an expression"),
    "code by a path in the key": ({"evaluator#_target_": "os.system"}, "evaluator#_target_: os.system"),
    "merged key": ({"+handlers": [RUN_CMD]}, "handlers#0#_target_: run_cmd"),
    "macro to a file": ({"amp": "%../acdc_rrw/docs/evil.json::x"}, "evil.json::x (a macro that reads another file)"),
    "macro to a file with #": ({"amp": "%docs/evil.YML#x"}, "docs/evil.YML#x (a macro that reads another file)"),
    "macro to an absolute path": ({"amp": "%/etc/evil.yaml"}, "/etc/evil.yaml (a macro that reads another file)"),
    "MONAI function": ({"handlers": [RUN_CMD]}, "handlers#0#_target_: run_cmd"),
    "MONAI function by its path": ({"x": RUN_CMD | {"_target_": "monai.utils.misc.run_cmd"}}, "misc.run_cmd"),
    "MONAI download": ({"x": {"_target_": "download_url", "url": "http://127.0.0.1/x"}}, "x#_target_: download_url"),
    "MONAI extract": ({"x": {"_target_": "extractall", "filepath": "y"}}, "x#_target_: extractall"),
    "MONAI class that runs a bundle": ({"x": {"_target_": "ConfigWorkflow", "config_file": "x"}}, ": ConfigWorkflow"),
    "MONAI class that evaluates": ({"x": {"_target_": "ConfigExpression", "config": "1"}}, ": ConfigExpression"),
    "MONAI class that writes any file": ({"x": {"_target_": "LogfileHandler"}}, "x#_target_: LogfileHandler"),
    "MONAI class that unpickles": ({"x": {"_target_": "LMDBDataset"}}, "x#_target_: LMDBDataset"),
    "MONAI class that calls": ({"x": {"_target_": "Lambda", "func": CALL}}, "x#func#_target_: subprocess.run"),
    "MONAI class in another module": ({"x": {"_target_": "monai.data.os.Dataset"}}, ": monai.data.os.Dataset"),
    "writer by its name": ({"postprocessing#transforms#4#writer": "os.system"}, "writer: os.system"),
    "function of torch": ({"x": {"_target_": "torch.hub.load"}}, "x#_target_: torch.hub.load"),
    "builtin": ({"x": {"_target_": "builtins.eval"}}, "x#_target_: builtins.eval"),
    "target that is no text": ({"x": {"_target_": ["os.system"]}}, "x#_target_: ['os.system']"),
    "target by a reference": ({"name": "os.system", "x": {"_target_": "@name"}}, "x#_target_: @name"),
    "target by an expression": ({"name": "os.system", "x": {"_target_": "$@name"}}, "x#_target_: $@name"),
    "target by a macro": ({"name": "os.system", "x": {"_target_": "%name"}}, "x#_target_: %name"),
    "debugger": ({"x": {"_target_": "Compose", "_mode_": "debug"}}, "x#_mode_: debug (a mode other than"),
    "breakpoint": ({"x": {"_target_": "Compose", "_debug_": True}}, "x: the key _debug_"),
    "requires": ({"x": {"_target_": "Compose", "_requires_": f"${EVIL}"}}, "x#_requires_: $__import__"),
    "disabled": ({"x": {"_target_": "Compose", "_disabled_": f"${EVIL}"}}, "x#_disabled_: $__import__"),
    "path outside": ({"output_dir": "/home/someone"}, "output_dir: /home/someone (a path outside"),
    "path above": ({"output_dir": "a/../../b"}, "output_dir: a/../../b (a path outside"),
}  # fmt: skip
OURS: dict[str, tuple[str, str]] = {
    "our own function that writes": ("regionwise.files.write_text", "x#_target_: regionwise.files.write_text"),
    "our own command line": ("regionwise.cli.main", "x#_target_: regionwise.cli.main"),
    "module in our namespace": ("regionwise.losses.os.system", "x#_target_: regionwise.losses.os.system"),
    "module beside ours": ("regionwise_evil.x", "x#_target_: regionwise_evil.x"),
}
# Name to path, text, other text, and what verify lists.
TEXTS: dict[str, tuple[str, str, str, str]] = {
    "escaped dollar": (INFERENCE, '"amp": false', f'"amp": "\\u0024{EVIL}"', "amp: $__import__('os')"),
    "escaped target": (
        INFERENCE, '"_target_": "SupervisedEvaluator"', '"\\u005ftarget_": "os.system"', "evaluator#_target_: os.sys"
    ),
    "reader by its name": (INFERENCE, '"NibabelReader"', '"subprocess.run"', "(MONAI imports it by its name)"),
    "logging class": (LOGGING, "class=StreamHandler", f"class={EVIL}", "[handler_stderr] class: __import__"),
    "logging arguments": (LOGGING, "args=(sys.stderr,)", f"args=({EVIL},)", "[handler_stderr] args: (__import__"),
    "logging to a file": (LOGGING, "class=StreamHandler", "class=FileHandler", "[handler_stderr] class: FileHandler"),
    "logging formatter": (LOGGING, "[formatter_plain]", f"[formatter_plain]\nclass={EVIL}", "[formatter_plain] class"),
    "logging defaults": (LOGGING, "[loggers]", f"[DEFAULT]\nx={EVIL}\n[loggers]", "[DEFAULT]: x (values"),
    "logging interpolation": (LOGGING, "class=StreamHandler", "class=%(x)s\nx=eval", "class: %(x)s"),
}  # fmt: skip
# Path to what verify lists.
FILES = {
    "itk.py": "itk.py (Python can import it)",
    "nrrd.py": "nrrd.py (Python can import it)",
    "pydicom.so": "pydicom.so (Python can import it)",
    "glob.pyc": "glob.pyc (Python can import it)",
    "evil.pth": "evil.pth (Python can import it)",
    "__init__.py": "__init__.py (Python can import it)",
    "torch/__init__.py": "torch/__init__.py (a file of a kind",
    "scripts/x.py": "scripts/x.py (a file of a kind",
    "configs/x.py": "configs/x.py (a file of a kind",
    "regionwise/maps.py": "regionwise/maps.py (not the code of the installed package)",
    "regionwise/losses/evil.py": "regionwise/losses/evil.py (not",
    "regionwise/__pycache__/maps.cpython-311.pyc": "maps.cpython-311.pyc (not",
    "configs/inference.yaml": "configs/inference.yaml (a file of a kind",
    "docs/x.yml": "docs/x.yml (a file of a kind",
    "docs/logging.conf": "docs/logging.conf (a file of a kind",
    "docs/scan.npy": "docs/scan.npy (a file of a kind",
    "models/model.ts": "models/model.ts (a file of a kind",
    "models/model.pt2": "models/model.pt2 (a file of a kind",
    "models/model.onnx": "models/model.onnx (a file of a kind",
    "models/more.pkl": "models/more.pkl (a file of a kind",
    "models/other.pt": "models/other.pt (a file of a kind",
    "evil-1.0.dist-info/entry_points.txt": "entry_points.txt (a file of a kind",
}


def listed() -> dict[str, tuple[Trick, str]]:
    """Return name to a trick that verify lists, and a part of the line."""
    keys = {name: (partial(changed, changes=keys), line) for name, (keys, line) in KEYS.items()}
    elsewhere = {
        f"expression in {path}": (
            partial(changed, changes={"task": f"${EVIL}"}, path=path),
            f"{path} task: $__import__",
        )
        for path in (TRAIN, METADATA, "configs/evaluate.json")
    }
    ours = {
        name: (partial(changed, changes={"x": {"_target_": target}}, path=TRAIN), line)
        for name, (target, line) in OURS.items()
    }
    texts = {
        name: (partial(with_text, path=path, old=old, new=new), line) for name, (path, old, new, line) in TEXTS.items()
    }
    files = {f"file {path}": (partial(repack, changes={path: EVIL_MODULE}), line) for path, line in FILES.items()}
    json_file = {"docs/more.JSON": json.dumps({"x": f"${EVIL}"}).encode()}
    other = {"JSON in another folder": (partial(repack, changes=json_file), "docs/more.JSON x: $__import__")}
    return keys | elsewhere | ours | texts | files | other


def lying_size(file: Path, target: Path) -> Path:
    """Return a zip of a member that unpacks to more than its directory says."""
    content = bytes(30 * 2**20)
    write_zip(target, "acdc_rrw", {})
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("acdc_rrw/docs/x.txt", content)
    data = target.read_bytes()
    return _write(target, data.replace(struct.pack("<L", len(content)), struct.pack("<L", 1000)))


def bomb(file: Path, target: Path, mebibytes: int = 300) -> Path:
    """Return a zip that unpacks to a thousand times its size."""
    target.write_bytes(file.read_bytes())
    with (
        zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("acdc_rrw/docs/x.txt", "w", force_zip64=True) as out,
    ):
        for _ in range(mebibytes):
            out.write(bytes(2**20))
    return target


def tensor_bomb(file: Path, target: Path) -> Path:
    """Return a bundle whose weights are one value that claims to be a tensor of a terabyte."""
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(1).expand(2**38)}, stream)
    return repack(file, target, {"models/model.pt": stream.getvalue()})


def compressed_weights(file: Path, target: Path) -> Path:
    """Return a bundle whose weights are zeros, compressed."""
    stream, squeezed = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.zeros(2**20)}, stream)
    with zipfile.ZipFile(stream) as plain, zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
    return repack(file, target, {"models/model.pt": squeezed.getvalue()})


def link(file: Path, target: Path) -> Path:
    """Return a zip with a link."""
    info = zipfile.ZipInfo("acdc_rrw/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return with_member(file, target, info, b"/etc/passwd")


def renamed_version(file: Path, target: Path, version: str) -> Path:
    """Return a bundle whose checksums are of another version."""
    contents = dict(read_bundle(file).contents)
    manifest = next(path for path in contents if path.endswith(".sha256"))
    contents[f"acdc_rrw_v{version}.sha256"] = contents.pop(manifest)
    return write_zip(target, "acdc_rrw", contents)


# Name of a file to the reason why a zip that holds it is refused.
NAMES = {
    "../../evil.py": "may lead outside the bundle",
    "docs/CON.txt": "which not every system can write",
    "docs/aux": "which not every system can write",
    "docs/x. ": "which not every system can write",
    "docs/\x1b[2Kx.md": "which not every system can write",
    "docs/\u202egpj.py": "which not every system can write",
    "\u0441onfigs/x.json": "which not every system can write",
    "docs/a*b.md": "which not every system can write",
    "docs/" + "x" * 300: "which not every system can write",
    "license": "one file on some systems",
    "Configs/inference.json": "one file on some systems",
    "docs/README.md/x": "as a file and as a folder",
    "LICENSE": "LICENSE twice",
}
# Name to path, content and message.
CONTENTS: dict[str, tuple[str, bytes, str]] = {
    "metadata.json that is a list": (METADATA, b"[]", "expected an object in configs/metadata.json, found []"),
    "metadata.json that is null": (METADATA, b"null", "expected an object in configs/metadata.json, found null"),
    "metadata.json too deep": (METADATA, DEEP, "configs/metadata.json is nested more than 40 deep"),
    "train.json too deep": (TRAIN, DEEP, "configs/train.json is nested more than 40 deep"),
    "inference.json too deep": (INFERENCE, b"[" * 60 + b"]" * 60, "inference.json is nested more than 40 deep"),
    "key twice": (INFERENCE, b'{"a": 1, "a": 2}', "inference.json is not JSON (the key 'a' is there twice"),
    "NaN": (TRAIN, b'{"a": NaN}', "train.json is not JSON (NaN is no number of JSON; use null)"),
    "huge JSON": (TRAIN, b'{"a": "' + b"x" * 5 * 2**20 + b'"}', "configs/train.json is larger than 4 MiB"),
    "beyond ASCII": (TRAIN, '{"a": "\u00e9"}'.encode(), "train.json holds characters beyond ASCII"),
    "UTF-16": (TRAIN, '{"a": 1}'.encode("utf-16"), "train.json holds characters beyond ASCII"),
    "no JSON": (TRAIN, b"{", "configs/train.json is not JSON"),
}
# Key of metadata.json to value and message.
VALUES = {
    "monai_version": ("abc", "metadata.json monai_version: expected a version such as 1.2.0, found abc"),
    "numpy_version": ("-", "metadata.json numpy_version: expected a version"),
    "required_packages_version": ({"": "1.0"}, "expected the name of a package, found ''"),
    "changelog": ([], "metadata.json changelog: [] is not of type 'object'"),
}


def refused() -> dict[str, tuple[Trick, str]]:
    """Return name to a trick that ends verify before code is looked at, and a part of the line."""
    names = {
        f"name {name!r}": (partial(with_member, name=f"acdc_rrw/{name}"), message) for name, message in NAMES.items()
    }
    versions = {
        f"version {version!r}": (partial(renamed_version, version=version), "found none; pack the bundle first")
        for version in ("..", ".", "-", "1..2", "x")
    }
    contents = {
        name: (partial(repack, changes={path: content}), message) for name, (path, content, message) in CONTENTS.items()
    }
    values = {
        f"metadata {key}": (partial(changed, changes={key: value}, path=METADATA), message)
        for key, (value, message) in VALUES.items()
    }
    escaped = '"x": {"_target_": "\\u0072egionwise.bundle.setup"}'
    return {
        **names,
        **versions,
        **contents,
        **values,
        "escaped regionwise": (
            partial(with_text, path=INFERENCE, old='"amp": false', new=escaped), "inference.json names regionwise"
        ),
        "link": (link, "holds acdc_rrw/link, a link or device"),
        "zip bomb": (bomb, "unpacks to more than 100 times its size"),
        "lying sizes": (lying_size, "is not a whole zip file"),
        "tensor bomb": (tensor_bomb, "models/model.pt: a is not an ordinary dense tensor"),
        "compressed weights": (compressed_weights, "models/model.pt is compressed"),
    }  # fmt: skip


def _write(target: Path, content: bytes) -> Path:
    target.write_bytes(content)
    return target
