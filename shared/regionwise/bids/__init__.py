"""BIDS: the cases of a tree as a datalist, label maps written back as derivatives."""

from .cases import datalist, labeled
from .derivatives import scans, write_derivatives

__all__ = ["datalist", "labeled", "scans", "write_derivatives"]
