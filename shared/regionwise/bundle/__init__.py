"""Tools around MONAI bundles: set-up, lint, pack, verify, share."""

from .judge import evaluate_datalist
from .setup import find_bundle_root, is_main_process, setup

__all__ = ["evaluate_datalist", "find_bundle_root", "is_main_process", "setup"]
