"""Functions that the bundles' configurations call, and the check of these configurations."""

from typing import Any

from .configuration import evaluation_settings, is_on, leave_out, network_settings, run_settings
from .setup import find_bundle_root, setup

__all__ = [
    "evaluate_datalist",
    "evaluation_settings",
    "find_bundle_root",
    "is_on",
    "leave_out",
    "network_settings",
    "run_settings",
    "setup",
]


def __getattr__(name: str) -> Any:
    """Load the evaluation, with its report and its plots, when it is asked for: a training needs none of it."""
    if name == "evaluate_datalist":
        from .evaluate import evaluate_datalist

        return evaluate_datalist
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
