"""Region-wise maps, losses, transforms and evaluation for medical image segmentation (Valverde & Tohka, 2022)."""

__version__ = "0.1.0"
