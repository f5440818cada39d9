"""Tools around MONAI bundles: set-up, lint, pack, verify, share."""

from .evaluate import evaluate_datalist
from .setup import find_bundle_root, setup

__all__ = ["evaluate_datalist", "find_bundle_root", "setup"]
