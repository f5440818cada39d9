"""Calibration of a trained network: scaled logits, volumes, margins and a trust threshold, kept with its weights."""

from .scaling import Scaling, fit_scaling, scale_logits, scale_probabilities
from .volumes import VolumeMap, fit_volumes
from .weights import scale_weights

__all__ = ["Scaling", "VolumeMap", "fit_scaling", "fit_volumes", "scale_logits", "scale_probabilities", "scale_weights"]
