"""Names of the nnU-Net trainers, and the folder where nnU-Net finds them."""

import re
from pathlib import Path

from ..losses import make_loss

# nnU-Net imports every module of this folder by its bare name and forgets it after the search, so that the folder
# holds nothing but a list of trainers; they are defined outside, in `regionwise.nnunet.trainers`.
TRAINER_FOLDER = Path(__file__).resolve().parent / "found_by_nnunet"


def trainer_name(loss: str) -> str:
    """Name, for nnU-Net's ``-tr``, of the trainer with a loss.

    ``nnUNetTrainerRegionWise_`` and the loss name with ``+``, ``:``, ``=`` and ``.``, which a class cannot have in its
    name, replaced by ``_``; ``nnUNetTrainerRRW`` for ``rrw``. nnU-Net knows a training by its trainer's name
    only: it names the folder of results and stands in the checkpoint. So there is one trainer per loss, not one
    that reads the loss from an option, whose trainings would overwrite each other and not tell which loss they had.

    Args:
        loss: a name that `regionwise.losses.make_loss` takes; there are trainers for `regionwise.losses.LOSS_NAMES`.

    Raises:
        InputError: If the loss is unknown.
    """
    make_loss(loss)
    return "nnUNetTrainerRRW" if loss == "rrw" else "nnUNetTrainerRegionWise_" + re.sub(r"[^a-z0-9]", "_", loss)
