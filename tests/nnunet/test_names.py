import subprocess
import sys
from pathlib import Path

import pytest
from regionwise.errors import InputError
from regionwise.losses import LOSS_NAMES
from regionwise.nnunet import TRAINER_FOLDER, trainer_name


def test_names():
    assert trainer_name("rrw") == "nnUNetTrainerRRW"
    assert trainer_name("wce_rrw") == "nnUNetTrainerRegionWise_wce_rrw"
    assert trainer_name("boundary+dice:gradual") == "nnUNetTrainerRegionWise_boundary_dice_gradual"
    assert trainer_name("rrw:annealed") == "nnUNetTrainerRegionWise_rrw_annealed"
    assert trainer_name("rrw:q=0.5") == "nnUNetTrainerRegionWise_rrw_q_0_5"
    assert trainer_name("rrw:annealed=0.3-1+ce:equal") == "nnUNetTrainerRegionWise_rrw_annealed_0_3_1_ce_equal"
    with pytest.raises(InputError, match="Unknown loss 'boundry'; did you mean 'boundary'"):
        trainer_name("boundry")


def test_each_loss_has_a_name_of_its_own_that_a_class_and_a_folder_of_results_can_have():
    names = [trainer_name(loss) for loss in LOSS_NAMES]
    assert len(set(names)) == len(LOSS_NAMES)
    # nnU-Net splits the folder's name, TRAINER__PLANS__CONFIGURATION, at each double underscore.
    assert all(name.isidentifier() and name.isascii() and "__" not in name for name in names)


def test_the_folder_to_set_nnunet_exttrainer_to():
    command = [sys.executable, "-m", "regionwise.nnunet"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"{TRAINER_FOLDER}\n"
    assert [path.name for path in Path(TRAINER_FOLDER).glob("*.py")] == ["regionwise_trainers.py"]
