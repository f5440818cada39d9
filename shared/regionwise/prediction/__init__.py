"""Prediction with uncertainty: members of an ensemble, maps, margins, and a trust score per case."""
