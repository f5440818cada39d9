"""Cases to tables, statistics and a report."""

from .cases import Case, Problem
from .settings import Settings
from .structures import Structure

__all__ = ["Case", "Problem", "Settings", "Structure"]
