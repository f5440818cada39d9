"""Segmenting scans with inference.json (MONAI alone) and ensemble.json (with all that the evaluation can)."""

import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from regionwise.nifti import read_labels

from .running import BUNDLES, arguments, config, evaluate_here, infer_here, run_process, train_here


def scans_of(bundle, data):
    """Return the scans of a phantom: the file that is passed, and what its output is called."""
    pattern = {
        "acdc": "*/patient*_frame??.nii.gz",
        "brats": "HGG/*/*_t2.nii.gz",
        "kits": "*/imaging.nii.gz",
        "hippocampus": "imagesTr/*.nii.gz",
    }[bundle]
    return sorted(data.glob(pattern))


def assert_is_a_segmentation(path, scan, classes):
    result, image = nib.load(path), nib.load(scan)
    assert result.shape == image.shape
    assert np.allclose(result.affine, image.affine, atol=1e-5)
    assert result.get_data_dtype() == np.uint8
    assert set(np.unique(np.asanyarray(result.dataobj))) <= set(range(classes + 1))


def codes(path):
    header = nib.load(path).header
    return int(header["sform_code"]), int(header["qform_code"])


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_file_is_segmented_in_its_own_space(trained, tmp_path, bundle):
    run = trained(bundle)
    scan = scans_of(bundle, run.data)[0]
    result = infer_here(run, scan, tmp_path)
    assert result.status == 0, result.err
    (written,) = tmp_path.iterdir()
    assert written.name == scan.name
    assert_is_a_segmentation(written, scan, {"acdc": 3, "brats": 3, "kits": 2, "hippocampus": 2}[bundle])
    if codes(scan) == (1, 1):
        assert codes(written) == (1, 1)


@pytest.mark.parametrize("bundle", ["acdc", "brats"])
def test_a_folder_is_segmented_flat(trained, tmp_path, bundle):
    run = trained(bundle)
    if bundle == "brats":
        folder = run.data / "HGG"
        names = {path.name for path in folder.glob("*/*_t2.nii.gz")}
    else:
        folder = tmp_path / "scans"
        folder.mkdir()
        for scan in scans_of(bundle, run.data)[:3]:
            shutil.copy(scan, folder)
        names = {path.name for path in folder.iterdir()}
    result = infer_here(run, folder, tmp_path / "out")
    assert result.status == 0, result.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


@pytest.mark.parametrize("bundle", BUNDLES)
def test_inference_gives_what_the_evaluation_measures(trained, tmp_path, bundle):
    """The same network and preprocessing from MONAI's classes alone and from ours, without mirroring.

    In one window, since where windows overlap MONAI averages logits and ours, as an ensemble has to, probabilities.
    The slices that go through the network together are others, and with them the order of summation: a label may differ
    where two probabilities are equal but for float32's rounding, of some hundred operations one after another.
    """
    rounding = 100 * np.finfo(np.float32).eps
    run = trained(bundle)
    window = {"patch_size": [64, 64]}
    settings = {"tta": "false", "save_probabilities": "true", "run": "['$@evaluator.run()']", **window}
    assert evaluate_here(run, tmp_path / "evaluated", **settings).status == 0
    for path in sorted((tmp_path / "evaluated" / "predictions").iterdir())[:2]:
        name = path.name.removesuffix(".nii.gz")
        scan = next(s for s in scans_of(bundle, run.data) if name in str(s))
        assert infer_here(run, scan, tmp_path / name, **window).status == 0
        first, second = (read_labels(file).array for file in (path, tmp_path / name / scan.name))
        probabilities = nib.load(tmp_path / "evaluated" / "probabilities" / path.name).get_fdata(dtype=np.float32)
        second_best, best = np.sort(probabilities[first != second], axis=-1)[:, -2:].T
        assert np.all(best - second_best < rounding), f"{np.count_nonzero(first != second)} labels differ"


def test_a_3d_network_infers(trained, tmp_path):
    run = trained("hippocampus")
    settings = {"patch_size": [32, 48, 32], "batch_size": 1, "iterations_per_epoch": 1}
    volume = train_here("hippocampus", run.data, tmp_path / "run", run.cache, **settings)
    scan = scans_of("hippocampus", run.data)[0]
    result = infer_here(volume, scan, tmp_path / "out")
    assert result.status == 0, result.err
    assert_is_a_segmentation(tmp_path / "out" / scan.name, scan, 2)


@pytest.mark.parametrize("bundle", ["acdc", "brats"])
def test_predicting_without_labels_gives_what_the_evaluation_predicts(trained, tmp_path, bundle):
    run = trained(bundle)
    settings = {"save_probabilities": "true", "run": "['$@evaluator.run()']"}
    assert evaluate_here(run, tmp_path / "evaluated", **settings).status == 0
    evaluated = sorted((tmp_path / "evaluated" / "predictions").iterdir())[0]
    name = evaluated.name.removesuffix(".nii.gz")
    scan = next(s for s in scans_of(bundle, run.data) if name in str(s))
    settings = {"run_id": "predicting", "input": scan, "save_probabilities": "true"}
    result = evaluate_here(run, tmp_path / "out", config(bundle, "ensemble"), **settings)
    assert result.status == 0, result.err
    (written,) = (tmp_path / "out" / "predictions").iterdir()
    assert written.name == evaluated.name
    assert np.array_equal(read_labels(written).array, read_labels(evaluated).array)
    assert codes(written) == codes(scan)
    (probabilities,) = (tmp_path / "out" / "probabilities").iterdir()
    assert nib.load(probabilities).shape == (*nib.load(scan).shape, 4)
    assert not (tmp_path / "out" / "cases.csv").exists()


def test_predicting_what_is_not_there_is_one_line(trained, tmp_path):
    settings = {"input": tmp_path / "none", "run_id": "predicting"}
    result = evaluate_here(trained("acdc"), tmp_path / "out", config("acdc", "ensemble"), **settings)
    assert "expected a scan or a folder of scans at" in result.error


def test_a_checkpoint_that_does_not_fit_is_no_segmentation(trained, tmp_path):
    """Plain MONAI warns about weights that do not fit; the run must not go on with random ones."""
    run = trained("hippocampus")
    scan = scans_of("hippocampus", run.data)[0]
    result = infer_here(run, scan, tmp_path / "out", **{"network_def#filters": "[8,16,32,32]"})
    assert "does not fit the network: " in result.error
    assert not (tmp_path / "out").exists()


def test_largest_components_are_a_setting(trained, tmp_path):
    run = trained("hippocampus")
    scan = scans_of("hippocampus", run.data)[0]
    assert infer_here(run, scan, tmp_path / "all").status == 0
    assert infer_here(run, scan, tmp_path / "largest", largest_component="[1,2]").status == 0
    everything, largest = (read_labels(tmp_path / name / scan.name).array for name in ("all", "largest"))
    assert np.all((largest == everything) | (largest == 0))


def test_the_command_in_a_process_of_its_own_without_our_package(trained, tmp_path):
    """From the repository; that it needs no regionwise at all is tested with the packed bundle."""
    run = trained("hippocampus")
    scan = scans_of("hippocampus", run.data)[0]
    given = {
        "input": scan,
        "output_dir": tmp_path,
        "checkpoint": run.folder / "model.pt",
        "args_file": run.folder / "network.json",
    }
    result = run_process(*arguments("run", "bundles/hippocampus_rrw/configs/inference.json", **given))
    assert result.status == 0, result.err
    assert_is_a_segmentation(tmp_path / scan.name, scan, 2)


def test_the_network_of_the_inference_is_that_of_the_training_without_heads(trained):
    run = trained("brats")
    best = torch.load(run.folder / "model.pt", weights_only=True)
    assert not any("super" in name for name in best)
