"""Training the bundles with soft labels: configs/soft_labels.json on phantoms."""

from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigWorkflow
from regionwise.phantoms.write import phantom

BUNDLES = Path(__file__).parents[2] / "bundles"
NETWORK = {"filters": [4, 8, 8, 8], "kernel_size": [3, 3, 3, 3], "upsampling": [2, 2, 2]}


def workflow(bundle: str, folder: Path, **settings) -> ConfigWorkflow:
    configs = BUNDLES / f"{bundle}_rrw" / "configs"
    made = ConfigWorkflow(
        [str(configs / "train.json"), str(configs / "soft_labels.json")],
        workflow_type="train",
        dataset_dir=str(folder / "data"),
        cache_dir=str(folder / "cache"),
        output_dir=str(folder / "out"),
        device="cpu",
        patch_size=[32, 32],
        num_workers=0,
        epochs=1,
        iterations_per_epoch=2,
        batch_size=2,
        **NETWORK,
        **settings,
    )
    made.initialize()
    return made


@pytest.mark.parametrize(
    ("loss", "smoothing"), [("dml+ce", "none"), ("rrw:annealed+dice:equal", "distance"), ("wing", "neighbors")]
)
def test_acdc_trains_with_soft_labels(tmp_path, loss, smoothing):
    phantom("acdc", str(tmp_path / "data"), subjects=4, seed=0, size=64, preset="small")
    run = workflow("acdc", tmp_path, loss=loss, smoothing=smoothing)
    batch = next(iter(run.parser.get_parsed_content("train#dataloader")))
    assert batch["label"].shape == (2, 5, 32, 32)  # four classes and d̂
    torch.testing.assert_close(batch["label"][:, :4].sum(1), torch.ones(2, 32, 32))
    between = (batch["label"][:, :4] > 0.02) & (batch["label"][:, :4] < 0.98)
    assert between.any()  # resampled to 1.5625 mm without rounding
    run.run()
    assert (tmp_path / "out" / "model.pt").is_file()
    assert 0 <= run.parser.get_parsed_content("validate#evaluator").state.best_metric <= 1
    run.finalize()


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["brats", "kits"])
def test_the_other_2d_bundles_train_with_soft_labels(tmp_path, bundle):
    phantom(bundle, str(tmp_path / "data"), subjects=4, seed=0, preset="small")
    run = workflow(bundle, tmp_path)
    run.run()
    assert (tmp_path / "out" / "model.pt").is_file()
    run.finalize()
