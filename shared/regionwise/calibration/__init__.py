"""Calibration of a trained network: scaled logits, volumes, margins and a trust threshold, kept with its weights."""

from .lead import LeadMap, fit_lead
from .scaling import Scaling, fit_scaling, scale_logits, scale_probabilities
from .volumes import VolumeMap, fit_volumes
from .weights import scale_weights

__all__ = [
    "LeadMap",
    "Scaling",
    "VolumeMap",
    "fit_lead",
    "fit_scaling",
    "fit_volumes",
    "scale_logits",
    "scale_probabilities",
    "scale_weights",
]
