"""What a user would write beside our trainers: shorter ones. nnU-Net finds them in this folder."""

import torch
from nnunetv2.training.nnUNetTrainer.variants.network_architecture.nnUNetTrainerNoDeepSupervision import (
    nnUNetTrainerNoDeepSupervision,
)
from regionwise.nnunet.trainers import TRAINERS, nnUNetTrainerRRW


class Short:
    """Two epochs of three iterations."""

    def __init__(self, plans: dict, configuration: str, fold: int, dataset_json: dict, device: torch.device):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 2, 3, 1


class nnUNetTrainerRRW_short(Short, nnUNetTrainerRRW):
    pass


class nnUNetTrainerGradual_short(Short, TRAINERS["nnUNetTrainerRegionWise_boundary_dice_gradual"]):
    pass


class nnUNetTrainerRRW_noDeepSupervision(nnUNetTrainerRRW, nnUNetTrainerNoDeepSupervision):
    pass
