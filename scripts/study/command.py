"""What the jobs of a study have in common: a bundle's command, and the record of the prepared data."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regionwise.files import read_json

ROOT = Path(__file__).resolve().parents[2]
Spec = Mapping[str, Any]


def bundle_command(run_id: str, bundle: str, config: str, overrides: Spec) -> list[str]:
    """Return the command that runs a configuration of a bundle."""
    root = ROOT / "bundles" / bundle
    command = [sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", *bundle_configs(bundle, config)]
    for name, value in {"bundle_root": str(root), **overrides}.items():
        command += [f"--{name}", value if isinstance(value, str) else repr(value)]
    return command


def bundle_configs(bundle: str, name: str) -> list[str]:
    """Return the files of a configuration of a bundle."""
    return [str(ROOT / "bundles" / bundle / "configs" / f"{name}.json")]


def read_prepared(out: Path, dataset: str, fold: int) -> Spec:
    """Return the record of a prepared fold."""
    return read_json(out / "data" / dataset / f"fold{fold}" / "prepared.json")
