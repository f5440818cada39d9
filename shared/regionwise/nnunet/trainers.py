"""nnU-Net v2 trainers: one for each loss of this package. Needs nnunetv2."""

from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from ..errors import InputError
from ..losses import LOSS_NAMES, LossSchedule, make_loss
from .loss import LevelLosses, level_spacings
from .names import trainer_name


class RegionWiseTrainer(nnUNetTrainer):
    """nnU-Net's trainer with another loss; everything else is nnU-Net's.

    The super() calls let it be combined with other variants:
    ``class nnUNetTrainerRRW_100epochs(nnUNetTrainerRRW, nnUNetTrainer_100epochs)``.

    Attributes:
        loss_name: one of `regionwise.losses.LOSS_NAMES`.
    """

    loss_name = "rrw"

    def _build_loss(self) -> nn.Module:
        """Return the loss, with nnU-Net's weights of the levels.

        Raises:
            InputError: the dataset has regions or an ignore label.
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
        """Tell losses with a schedule which epoch it is; nnU-Net's own count survives a resume (``--c``)."""
        super().on_train_epoch_start()
        for loss in LossSchedule(self.loss).losses:
            loss.epoch = self.current_epoch


def _trainer(loss: str) -> type[RegionWiseTrainer]:
    contents = {"__module__": __name__, "__doc__": f"nnU-Net's trainer with the loss ``{loss}``.", "loss_name": loss}
    return type(trainer_name(loss), (RegionWiseTrainer,), contents)


TRAINERS = {trainer_name(loss): _trainer(loss) for loss in LOSS_NAMES}
globals().update(TRAINERS)  # nnU-Net and pickle look for attributes of a module
