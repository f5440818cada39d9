"""Synthetic datasets in the layout of the real ones, one dataset per file."""
