"""nnU-Net v2 trainers: one per loss of this package. Needs nnunetv2."""

import torch
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.nnUNetTrainer.variants.optimizer.nnUNetTrainerAdam import nnUNetTrainerVanillaAdam

from ..errors import InputError
from ..losses import LOSS_NAMES, make_loss, set_progress
from .loss import LevelLosses, level_spacings
from .names import trainer_name


class RegionWiseTrainer(nnUNetTrainerVanillaAdam):
    """nnU-Net's trainer with another loss and the paper's optimizer, Adam at 0.0001; everything else is nnU-Net's.

    A region-wise loss is linear in the probabilities: its gradient vanishes where the softmax is saturated, also where
    it is wrong (the annealed forms keep one). nnU-Net's optimizer (SGD, 0.01, momentum 0.99) led there; README.md has
    the figures. All trainers share one optimizer, so that comparing them compares losses only.

    The super() calls let it be combined with other variants:
    ``class nnUNetTrainerRRW_100epochs(nnUNetTrainerRRW, nnUNetTrainer_100epochs)``.

    Attributes:
        loss_name: one of `regionwise.losses.LOSS_NAMES`.
    """

    loss_name = "rrw"

    # nnU-Net reads the names of these arguments, to make the trainer again from a checkpoint.
    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device) -> None:
        """Take nnU-Net's arguments."""
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.initial_lr = 1e-4

    def _build_loss(self) -> torch.nn.Module:
        """Build the loss, with nnU-Net's weights of the levels.

        Raises:
            InputError: If the dataset has regions or an ignore label.
        """
        labels = self.label_manager
        for found, what in ((labels.has_regions, "regions"), (labels.has_ignore_label, "an ignore label")):
            if found:
                raise InputError(
                    f"{type(self).__name__} needs each voxel to have exactly one known class, found {what} in "
                    f"dataset.json of {self.plans_manager.dataset_name}; train it with one of nnU-Net's own trainers"
                )
        spacings = level_spacings(self.configuration_manager.spacing, self._get_deep_supervision_scales())
        losses = [make_loss(self.loss_name, spacing) for spacing in spacings]
        self.print_to_log_file(f"Loss: {self.loss_name}; voxel size at each level: {spacings}")
        nnunet_loss = super()._build_loss()
        if isinstance(nnunet_loss, DeepSupervisionWrapper):
            return LevelLosses(losses, nnunet_loss.weight_factors)
        return losses[0]

    def on_train_epoch_start(self) -> None:
        """Count the iterations of the epoch, and tell losses with a schedule how far the run is."""
        super().on_train_epoch_start()
        self.iteration = 0
        self._tell_progress()

    def train_step(self, batch: dict) -> dict:
        """Train one iteration; losses with a schedule follow it."""
        self._tell_progress()
        self.iteration += 1
        return super().train_step(batch)

    def _tell_progress(self) -> None:
        """Set the losses' epoch and fraction of the run; nnU-Net's own epoch survives a resume (``--c``)."""
        done = self.current_epoch * self.num_iterations_per_epoch + self.iteration
        set_progress(self.loss, self.current_epoch, done / (self.num_epochs * self.num_iterations_per_epoch))


def _trainer(loss: str) -> type[RegionWiseTrainer]:
    contents = {"__module__": __name__, "__doc__": f"nnU-Net's trainer with the loss ``{loss}``.", "loss_name": loss}
    return type(trainer_name(loss), (RegionWiseTrainer,), contents)


TRAINERS = {trainer_name(loss): _trainer(loss) for loss in LOSS_NAMES}
globals().update(TRAINERS)  # nnU-Net and pickle look for attributes of a module
