import numpy as np
import pytest
from regionwise.errors import InputError
from regionwise.training import choose_place, make_augmentation
from regionwise.training.augmentation_draws import DRAWS, DrawAugmentation
from scipy.stats import kstest

SAMPLES = 1000
# Probability and range of each parameter; its neutral value is not in the range's inside.
PROBABILITIES = {
    "noise_std": (0.1, 0, 0.1**0.5),
    "blur_sigma": (0.2, 0.5, 1),
    "brightness": (0.15, 0.75, 1.25),
    "contrast": (0.15, 0.75, 1.25),
    "low_resolution": (0.25, 0.5, 1),
    "inverted_gamma": (0.1, 0.7, 1.5),
    "gamma": (0.3, 0.7, 1.5),
}


def draws(dims=2, frequency=1.0, thick=None):
    draw = make_augmentation("device", dims, thick, frequency).set_random_state(0)
    found = [draw.draw() for _ in range(SAMPLES)]
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def assert_share(found, probability):
    assert found.mean() == pytest.approx(probability, abs=4 * (probability * (1 - probability) / SAMPLES) ** 0.5)


@pytest.mark.parametrize("frequency", [1.0, 0.5])
@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_and_ranges_are_those_of_nnunet(name, frequency):
    probability, low, high = PROBABILITIES[name]
    values = draws(3, frequency)[name]
    neutral = 0 if name in ("noise_std", "blur_sigma") else 1
    happened = (values != neutral).reshape(SAMPLES, -1).all(1)
    assert_share(happened, probability * frequency)
    assert kstest(values[happened].ravel(), "uniform", (low, high - low)).pvalue > 0.001


@pytest.mark.parametrize("dims", [2, 3])
def test_rotation_scaling_and_mirroring_are_those_of_nnunet(dims):
    found = draws(dims)
    affine = found["affine"]
    scale = np.abs(np.linalg.det(affine)) ** (-1 / dims)
    scaled, moved = np.abs(scale - 1) > 1e-9, (affine != np.eye(dims)).any((1, 2))
    assert_share(scaled, 0.2)
    assert_share(moved, 1 - 0.8**2)
    assert kstest(scale[scaled], "uniform", (0.7, 0.7)).pvalue > 0.001
    rotation = affine * scale[:, None, None]
    assert np.allclose(rotation @ rotation.mT, np.eye(dims))
    assert not found["flip"][moved].any()
    for axis in range(dims):
        assert_share(found["flip"][~moved, axis], 0.5)
    assert_share(np.linalg.det(affine[moved]) < 0, 0.5)
    if dims == 2:
        angle = np.arctan2(affine[moved][:, 1, 0], affine[moved][:, 1, 1])
        turned = angle[np.abs(np.sin(2 * angle)) > 1e-9]
        assert kstest(turned, "uniform", (-np.pi, 2 * np.pi)).pvalue > 0.001


def test_volumes_turn_by_30_degrees_and_thick_slices_in_plane_only():
    affine = draws(3)["affine"]
    scale = np.abs(np.linalg.det(affine)) ** (1 / 3)
    cosine = np.abs(np.diagonal(affine, axis1=1, axis2=2)) / scale[:, None]
    assert cosine.min() >= np.cos(np.pi / 6) ** 2 - np.sin(np.pi / 6) ** 3 - 1e-9  # three rotations, one after another
    assert cosine.min() < np.cos(np.pi / 6)
    affine = draws(3, thick=0)["affine"]
    assert (affine[:, 0, 1:] == 0).all() and (affine[:, 1:, 0] == 0).all()
    assert np.abs(affine[:, 1, 2]).max() > 0.9


def test_the_seed_alone_decides():
    one, again, other = (DrawAugmentation(2, (1.0,)).set_random_state(seed).draw() for seed in (3, 3, 4))
    for name, value in one.items():
        assert np.array_equal(value, again[name])
    assert int(one["noise_seed"]) != int(other["noise_seed"])


def test_image_and_label_stay():
    sample = {"image": object(), "label": object()}
    found = DrawAugmentation(2, (1.0,))(sample)
    assert found.keys() == {"image", "label", DRAWS}
    assert found["image"] is sample["image"] and found["label"] is sample["label"]


def test_the_place_is_the_device_if_it_is_a_gpu():
    assert choose_place("auto", "cuda:1") == "device"
    assert choose_place("auto", "cpu") == "workers"
    assert [choose_place(choice, "cpu") for choice in ("device", "workers")] == ["device", "workers"]
    with pytest.raises(InputError, match="Unknown --augmentation 'devise'; did you mean 'device'"):
        choose_place("devise")


@pytest.mark.parametrize("place", ["workers", "device"])
def test_a_frequency_that_is_no_share_is_refused(place):
    with pytest.raises(InputError, match="expected a frequency of the augmentation from 0 to 1, found 2"):
        make_augmentation(place, frequency=2)


def test_soft_labels_are_augmented_in_the_workers():
    assert make_augmentation("workers", linear_labels=True).transforms[0].mode == ("bilinear", "bilinear")
    with pytest.raises(InputError, match="soft labels are augmented in the workers only; pass --augmentation workers"):
        make_augmentation("device", linear_labels=True)
