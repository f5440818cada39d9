"""Several raters: masks of one case by several people, made one, and how far the raters agree."""

from .agreement import agreement_rows, mean_surface_bias_mm, summarize_raters
from .methods import METHODS, draw_rater, fuse_raters, mean_signed_distance
from .staple import Performance, estimate_performance, staple
from .transforms import FuseRatersd
from .voting import average_raters, majority_vote

__all__ = [
    "METHODS",
    "FuseRatersd",
    "Performance",
    "agreement_rows",
    "average_raters",
    "draw_rater",
    "estimate_performance",
    "fuse_raters",
    "majority_vote",
    "mean_signed_distance",
    "mean_surface_bias_mm",
    "staple",
    "summarize_raters",
]
