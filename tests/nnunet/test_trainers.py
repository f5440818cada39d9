"""The trainers in the released nnU-Net: found, planned with, trained, resumed and predicted with."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from regionwise.datasets.acdc import find_subjects, read_subject
from regionwise.errors import InputError
from regionwise.files import write_json
from regionwise.losses import LOSS_NAMES, make_loss
from regionwise.nnunet import TRAINER_FOLDER, trainer_name
from regionwise.phantoms.write import phantom

pytestmark = [
    pytest.mark.nnunet,
    pytest.mark.skipif(importlib.util.find_spec("nnunetv2") is None, reason="nnunetv2 is not installed"),
]

DATASET = "Dataset501_Heart"
SHORT_FOLDER = Path(__file__).parent / "short"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Return nnU-Net's environment variables for a planned and preprocessed phantom of ACDC: six thick volumes."""
    root = tmp_path_factory.mktemp("nnunet")
    phantom("acdc", str(root / "acdc"), subjects=3, size=48, preset="small")
    write_raw(root / "acdc", root / "raw" / DATASET)
    settings = {
        **{f"nnUNet_{name}": str(root / name) for name in ("raw", "preprocessed", "results")},
        "nnUNet_extTrainer": os.pathsep.join(map(str, (TRAINER_FOLDER, SHORT_FOLDER))),
        "nnUNet_def_n_proc": "1",
        "OMP_NUM_THREADS": "1",
    }
    configurations = ("2d", "3d_fullres")
    nnunet("plan_and_preprocess", settings, "-d", 501, "-c", *configurations, "-np", 1, "-npfp", 1, processes=1)
    return settings


def write_raw(acdc, folder):
    """Write nnU-Net's raw format."""
    cases = [case for subject in find_subjects(acdc) for case in read_subject(subject)]
    for kind, suffix in (("image", "_0000"), ("label", "")):
        (folder / f"{kind}sTr").mkdir(parents=True)
        for case in cases:
            shutil.copy(case[kind], folder / f"{kind}sTr" / f"{case['case_id']}{suffix}.nii.gz")
    labels = {"background": 0, "RV": 1, "myocardium": 2, "LV": 3}
    content = {"channel_names": {"0": "MRI"}, "labels": labels, "numTraining": len(cases), "file_ending": ".nii.gz"}
    write_json(folder / "dataset.json", content)


def nnunet(command, settings, *arguments, processes=0):
    """Run one of nnU-Net's own commands; return what it printed. Planning wants at least one process."""
    program = Path(sys.executable).with_name(f"nnUNetv2_{command}")
    environment = {**os.environ, **settings, "nnUNet_n_proc_DA": str(processes)}
    result = subprocess.run(
        [str(program), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:]
    return result.stdout


@pytest.fixture
def make_trainer(settings, monkeypatch):
    """Return a function that makes a trainer as nnU-Net's command does, on the CPU."""
    for name, value in {**settings, "nnUNet_n_proc_DA": "0"}.items():
        monkeypatch.setenv(name, value)
    from nnunetv2.run.run_training import get_trainer_from_args

    def make(name, configuration="3d_fullres"):
        return get_trainer_from_args("501", configuration, 0, name, device=torch.device("cpu"))

    return make


def find(name):
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    return recursive_find_trainer_class_by_name(name)


def test_nnunet_finds_a_trainer_for_each_loss(monkeypatch):
    monkeypatch.setenv("nnUNet_extTrainer", str(TRAINER_FOLDER))
    assert find("nnUNetTrainerRRW").loss_name == "rrw"
    for loss in LOSS_NAMES:
        trainer = find(trainer_name(loss))
        assert (trainer.__name__, trainer.loss_name) == (trainer_name(loss), loss)
        assert trainer.__module__ == "regionwise.nnunet.trainers"  # nnU-Net has none of that name


def test_without_the_environment_variable_they_are_not_found(monkeypatch):
    monkeypatch.delenv("nnUNet_extTrainer", raising=False)
    with pytest.raises(RuntimeError, match="nnUNet_extTrainer"):
        find("nnUNetTrainerRRW")


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
def test_the_loss_is_that_of_each_level_with_nnunets_weights(make_trainer, configuration):
    trainer, standard = make_trainer("nnUNetTrainerRRW", configuration), make_trainer("nnUNetTrainer", configuration)
    for each in (trainer, standard):
        each.initialize()
    batch = next(trainer.get_dataloaders()[0])
    outputs = [output.detach() for output in trainer.network(batch["data"])]
    weights, expected = standard.loss.weight_factors, 0.0
    full = np.array(trainer.configuration_manager.patch_size)
    for output, target, weight in zip(outputs, batch["target"], weights, strict=True):
        assert target.shape == (len(output), 1, *output.shape[2:])
        spacing = trainer.configuration_manager.spacing * full / target.shape[2:]
        expected += weight * make_loss("rrw", spacing)(output, target)
    assert weights[0] > 0.5 and weights[-1] == 0
    torch.testing.assert_close(trainer.loss(outputs, batch["target"]), expected, check_dtype=False)


def test_the_papers_optimizer(make_trainer):
    trainer = make_trainer("nnUNetTrainerRRW")
    trainer.initialize()
    group = trainer.optimizer.param_groups[0]
    assert type(trainer.optimizer) is torch.optim.Adam
    assert (group["lr"], group["weight_decay"]) == (1e-4, 3e-5)
    trainer.lr_scheduler.step(500)  # of 1000
    assert group["lr"] == pytest.approx(1e-4 * 0.5**0.9)


@pytest.mark.parametrize("loss", ["focal", "wce_rrw", "hausdorff_one_sided+ce:equal", "inverse_distance+dice:gradual"])
def test_a_step_with_other_losses(make_trainer, loss):
    trainer = make_trainer(trainer_name(loss), "2d")
    trainer.initialize()
    before = [parameter.detach().clone() for parameter in trainer.network.parameters()]
    train, validation = trainer.get_dataloaders()
    assert np.isfinite(trainer.train_step(next(train))["loss"])
    after = list(trainer.network.parameters())
    assert all(parameter.isfinite().all() for parameter in after)
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    trainer.network.eval()
    with torch.no_grad():
        assert np.isfinite(trainer.validation_step(next(validation))["loss"])


def test_the_exponent_of_an_annealed_loss_follows_the_iteration(make_trainer):
    trainer = make_trainer(trainer_name("rrw:annealed"), "2d")
    trainer.initialize()
    trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.current_epoch = 4, 2, 1  # as after a resume
    trainer.on_train_epoch_start()
    data, seen = trainer.get_dataloaders()[0], []
    for _ in range(2):
        trainer.train_step(next(data))
        seen.append({round(loss.q, 6) for loss in trainer.loss.modules() if hasattr(loss, "fraction")})
    assert seen == [{0.4}, {0.45}]  # 0.3 + 0.4 * 2/8, 0.3 + 0.4 * 3/8


def test_without_deep_supervision(make_trainer):
    trainer = make_trainer("nnUNetTrainerRRW_noDeepSupervision", "2d")
    trainer.initialize()
    batch = next(trainer.get_dataloaders()[0])
    spacing = trainer.configuration_manager.spacing
    with torch.no_grad():
        output = trainer.network(batch["data"])
    torch.testing.assert_close(
        trainer.loss(output, batch["target"]), make_loss("rrw", spacing)(output, batch["target"])
    )


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"labels": {"background": 0, "RV": 1, "myocardium": 2, "LV": 3, "ignore": 4}}, "an ignore label"),
        ({"labels": {"background": 0, "heart": [1, 2, 3], "LV": 3}, "regions_class_order": [1, 2]}, "regions"),
    ],
)
def test_what_is_not_supported_is_said_in_one_line(make_trainer, changes, found):
    made = make_trainer("nnUNetTrainerRRW")
    plans = {**made.plans_manager.plans, "continue_training": False}
    trainer = type(made)(plans, "2d", 0, {**made.dataset_json, **changes}, torch.device("cpu"))
    message = (
        "nnUNetTrainerRRW needs each voxel to have exactly one known class, "
        f"found {found} in dataset.json of {DATASET}; train it with one of nnU-Net's own trainers"
    )
    with pytest.raises(InputError) as error:
        trainer.initialize()
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "configuration"), [("nnUNetTrainerRRW_short", "2d"), ("nnUNetTrainerGradual_short", "3d_fullres")]
)
def test_train_resume_and_predict(settings, make_trainer, tmp_path, name, configuration):
    nnunet("train", settings, 501, configuration, 0, "-tr", name, "-device", "cpu")
    folder = Path(settings["nnUNet_results"]) / DATASET / f"{name}__nnUNetPlans__{configuration}" / "fold_0"
    # nnU-Net's own file, written a moment ago; it holds more than weights.
    checkpoint = torch.load(folder / "checkpoint_final.pth", weights_only=False)
    assert checkpoint["trainer_name"] == name
    for curve in ("train_losses", "val_losses"):
        assert len(checkpoint["logging"][curve]) == 2 and np.isfinite(checkpoint["logging"][curve]).all()
    assert (folder / "validation" / "summary.json").is_file()

    trainer = make_trainer(name, configuration)
    trainer.load_checkpoint(str(folder / "checkpoint_final.pth"))
    trainer.on_train_epoch_start()
    epochs = {loss.epoch for loss in trainer.loss.modules() if hasattr(loss, "epoch")}
    assert epochs == ({2} if "Gradual" in name else set())

    raw = Path(settings["nnUNet_raw"]) / DATASET / "imagesTr"
    image_path = min(raw.iterdir())
    (tmp_path / "images").mkdir()
    shutil.copy(image_path, tmp_path / "images")
    where = ("-i", tmp_path / "images", "-o", tmp_path / "labels", "-d", 501, "-c", configuration, "-f", 0, "-tr", name)
    nnunet("predict", settings, *where, "-device", "cpu", "-npp", 1, "-nps", 1)
    image = nib.load(image_path)
    labels = nib.load(tmp_path / "labels" / image_path.name.replace("_0000", ""))
    assert labels.shape == image.shape
    np.testing.assert_allclose(labels.affine, image.affine, atol=1e-4)
    assert set(np.unique(np.asarray(labels.dataobj))) <= {0, 1, 2, 3}
