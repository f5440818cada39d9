"""The next scans to label: uncertainty of a trained bundle on unlabeled scans, ranked, and measured by replay."""

from .ranking import rank_foreground_random, rank_random, rank_stratified
from .scores import slice_scores

__all__ = ["rank_foreground_random", "rank_random", "rank_stratified", "slice_scores"]
