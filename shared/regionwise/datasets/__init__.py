"""Readers of the datasets as downloaded: cases, splits and class names."""

from ..datasets.case import Case
from ..datasets.registry import LABELS, READERS, read_cases, to_classes
from ..datasets.splits import datalist, split_cases

__all__ = ["LABELS", "READERS", "Case", "datalist", "read_cases", "split_cases", "to_classes"]
