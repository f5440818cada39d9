"""The guard of `configs/inference.json`: copies of modules of `regionwise` that need MONAI only."""

from .guard import Guard

__all__ = ["Guard"]
