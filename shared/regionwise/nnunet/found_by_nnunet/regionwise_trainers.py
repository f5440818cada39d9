"""What nnU-Net's search finds: the trainers of `regionwise.nnunet.trainers`, by name."""

from regionwise.nnunet.trainers import TRAINERS

globals().update(TRAINERS)
