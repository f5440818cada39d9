"""Calibration of a trained network: scaled logits, volumes, margins and a trust threshold, kept with its weights."""

from .isotonic import ClassMaps, fit_isotonic
from .lead import LeadMap, fit_lead
from .local import LocalScaling, fit_local, local_features
from .scaling import Scaling, fit_scaling, scale_logits, scale_probabilities
from .volumes import VolumeMap, fit_volumes
from .weights import scale_weights

__all__ = [
    "ClassMaps",
    "LeadMap",
    "LocalScaling",
    "Scaling",
    "VolumeMap",
    "fit_isotonic",
    "fit_lead",
    "fit_local",
    "fit_scaling",
    "fit_volumes",
    "local_features",
    "scale_logits",
    "scale_probabilities",
    "scale_weights",
]
