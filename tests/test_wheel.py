"""The wheel: what a packed bundle carries, its types, license and description, and the console script."""

import shutil
import subprocess
import sys
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest
from regionwise import __version__
from regionwise.bundle.packed import code_digest, package_files

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    leave_out = shutil.ignore_patterns("*.egg-info", "__pycache__", "build")
    source = shutil.copytree(ROOT / "shared", folder / "shared", ignore=leave_out)
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with ZipFile(path) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_the_wheel_has_the_code_of_the_checkout(wheel):
    assert code_digest(package_files(wheel / "regionwise")) == code_digest(package_files())
    assert (wheel / "regionwise" / "py.typed").is_file()


def test_the_wheel_says_what_it_is(wheel):
    (folder,) = wheel.glob("*.dist-info")
    metadata = message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().startswith("# regionwise")
    assert (folder / "licenses" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert "regionwise = regionwise.cli:main" in (folder / "entry_points.txt").read_text()


def test_the_readmes_example_runs():
    text = (ROOT / "shared" / "README.md").read_text(encoding="utf-8")
    exec(text.split("```python\n")[1].split("```")[0], {})
