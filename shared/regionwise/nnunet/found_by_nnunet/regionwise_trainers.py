"""Trainers of `regionwise.nnunet.trainers`, exported where nnU-Net searches for them by name."""

from regionwise.nnunet.trainers import TRAINERS

globals().update(TRAINERS)
