"""The full phantoms against the real datasets: class fractions, fields of view and grids."""

import numpy as np
import pytest
from regionwise.datasets import LABELS, read_cases, to_classes
from regionwise.nifti import read_labels
from regionwise.phantoms import acdc, brats, kits
from regionwise.phantoms.heart import draw_heart
from regionwise.phantoms.write import phantom

# Per cent of all voxels: mean, and the 5th and 95th percentile over the cases. ACDC: the 200 training frames; KiTS19:
# 12 cases (their extremes); hippocampus: 200 cases of MSD Task04. BraTS: no published table was found; about 100 ml of
# tumor, 60 % of it edema and 20 % enhancing, in 240 x 240 x 155 mm.
REAL = {
    "acdc": {1: (1.2, 0.3, 2.7), 2: (1.3, 0.7, 2.1), 3: (1.3, 0.3, 2.4)},
    "kits": {1: (1.2, 0.4, 2.0), 2: (0.14, 0.003, 0.4)},
    "msd": {1: (2.77, 2.01, 3.52), 2: (2.54, 1.93, 3.15)},
    "brats": {1: (0.15, 0.02, 0.4), 2: (0.7, 0.1, 1.9), 3: (0.25, 0.05, 0.5)},
}
# Coarse grids: a fraction does not depend on the size of the voxels.
SIZES = {"acdc": 64, "kits": 64, "msd": None, "brats": 60}
SUBJECTS = 24


@pytest.fixture(scope="module", params=[*((dataset, "full") for dataset in REAL), ("acdc", "hard")], ids="-".join)
def cases(request, tmp_path_factory):
    """Return the dataset's name, the labels of each case and the fields of view in mm."""
    dataset, preset = request.param
    folder = tmp_path_factory.mktemp("full") / dataset
    phantom(dataset, str(folder), subjects=SUBJECTS, size=SIZES[dataset], preset=preset)
    volumes = [read_labels(case["label"]) for case in read_cases(dataset, folder)]
    fields_mm = np.array([np.multiply(volume.array.shape, volume.spacing_mm) for volume in volumes])
    return dataset, [to_classes(dataset, volume.array) for volume in volumes], fields_mm


def test_class_fractions_are_those_of_the_real_dataset(cases):
    dataset, volumes, _ = cases
    for label, (mean, low, high) in REAL[dataset].items():
        percent = np.array([100 * (volume == label).mean() for volume in volumes])
        name = LABELS[dataset][label]
        assert percent.mean() == pytest.approx(mean, rel=0.3), name
        present = percent[percent > 0]
        assert low / 3 < np.percentile(present, 5) < 3 * low, name
        assert 0.7 * high < np.percentile(present, 95) < 1.4 * high, name


def test_fields_of_view_are_those_of_the_real_dataset(cases):
    dataset, _, fields_mm = cases
    low, mean, high = fields_mm.min(0), fields_mm.mean(0), fields_mm.max(0)
    if dataset == "acdc":
        assert (low[:2] > (270, 290)).all() and (high[:2] < (410, 440)).all()
        np.testing.assert_allclose(mean[:2], (325, 370), rtol=0.05)
    elif dataset == "brats":
        np.testing.assert_allclose(fields_mm - (240, 240, 155), 0, atol=2)
    elif dataset == "kits":
        assert (low[1:] > 200).all() and (high[1:] < 500).all()
    else:
        np.testing.assert_allclose(mean, (35, 50, 36), atol=1)


def test_half_of_the_slices_of_an_abdomen_hold_a_label(cases):
    dataset, volumes, _ = cases
    if dataset != "kits":
        pytest.skip("a fact about KiTS19")
    share = np.mean(np.concatenate([volume.any(axis=(1, 2)) for volume in volumes]))
    assert share == pytest.approx(0.55, abs=0.07)


def test_grid_of_the_heart_is_acdcs():
    preset = acdc.PRESETS["full"]
    for seed in range(50):
        rng = np.random.default_rng(seed)
        shape, spacing_mm, heights_mm = acdc.draw_stack(rng, preset, draw_heart(rng, preset.build), None, False)
        assert 150 <= shape[0] <= shape[1] <= 320
        assert 1.36 <= spacing_mm[0] == spacing_mm[1] <= 1.79
        assert 5 <= spacing_mm[2] <= 16 and 7 <= len(heights_mm) <= 15


@pytest.mark.parametrize(("wide", "columns"), [(False, 512), (True, 796)])
def test_grid_of_the_abdomen_is_that_of_kits(wide, columns):
    preset = kits.PRESETS["full"]
    for seed in range(50):
        spacing_mm, shape, _ = kits.draw_stack(np.random.default_rng(seed), preset, preset.size, wide)
        assert shape[1:] == (512, columns)
        assert 0.5 <= spacing_mm[0] <= 5 and 0.35 < spacing_mm[1] < 1


@pytest.mark.slow
def test_full_brain_has_the_published_matrix(tmp_path):
    phantom("brats", str(tmp_path / "brats"), subjects=1)
    label = read_labels(read_cases("brats", tmp_path / "brats")[0]["label"])
    assert label.array.shape == (240, 240, 155)
    assert label.spacing_mm == pytest.approx((1, 1, 1))
    assert set(np.unique(label.array)) == {0, brats.NECROSIS, brats.EDEMA, brats.ENHANCING}
