"""Conditioning on metadata of the scan: reading it, encoding it, a network that it modulates (FiLM)."""

from .augmentation import past_metadata
from .channels import AddMetadatad
from .network import FilmDynUNet, categories_of

__all__ = ["AddMetadatad", "FilmDynUNet", "categories_of", "past_metadata"]
