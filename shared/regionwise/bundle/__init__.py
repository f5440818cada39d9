"""Functions called by the bundles' configurations, and the checks of these configurations."""

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
    """Import the evaluation, with its report and plots, on first use: training does not need it."""
    if name == "evaluate_datalist":
        from .evaluate import evaluate_datalist

        return evaluate_datalist
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
