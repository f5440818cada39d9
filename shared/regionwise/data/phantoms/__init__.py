"""Synthetic subjects, one dataset per file."""
