"""``python -m regionwise.nnunet`` prints the folder to set nnUNet_extTrainer to."""

from .names import TRAINER_FOLDER

print(TRAINER_FOLDER)
