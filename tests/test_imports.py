"""What importing a part of the package loads, in a fresh process: what it needs, and nothing that draws or trains."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import regionwise

PACKAGE = Path(regionwise.__file__).parent
UNIX_ONLY = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}
DRAWING = {"matplotlib", "jinja2", "PIL"}
FILES = {"datasets", "errors", "files", "geometry", "nifti", "voxels"}
MAPS = {"distance", "distance_torch", "errors", "labels", "maps"}

# Modules and folders of the package that each may load beside itself.
NEEDS = {
    "packaging": set(),
    "losses": MAPS,
    "evaluation": FILES,
    "inference": FILES | {"distributed", "options", "precision", "scans", "weights"},
    "training": FILES | {"distributed", "options", "weights"},
    "bundle": FILES | MAPS | {"data", "distributed", "evaluation", "losses", "options"},
}


def top_level_imports(path):
    """Return the first parts of the absolute imports that run when a module is imported."""
    found, queue = set(), list(ast.parse(path.read_text(encoding="utf-8")).body)
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            queue += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return found


@pytest.mark.parametrize("part", NEEDS)
def test_a_part_loads_what_it_needs(part):
    code = (
        f"import json, sys, regionwise.{part};"
        "print(json.dumps({n: m.__file__ for n, m in sys.modules.items() if n.startswith('regionwise.')}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout.splitlines()[-1])
    assert {name.split(".")[1] for name in modules} - {part} <= NEEDS[part]
    drawn = {name: top_level_imports(Path(file)) & DRAWING for name, file in modules.items()}
    assert not {name for name, found in drawn.items() if found}


def test_no_module_needs_unix_to_be_imported():
    found = {path.name: top_level_imports(path) & UNIX_ONLY for path in sorted(PACKAGE.rglob("*.py"))}
    assert not {name: modules for name, modules in found.items() if modules}
