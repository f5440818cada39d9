import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandFlipd, RandRotated
from regionwise.distance import normalized_distance
from regionwise.errors import InputError
from regionwise.training import nnunet_augmentation


def sample(spatial_dims):
    """Return noise and a target with a disc or a ball of 1 that holds one of 2 and their d̂."""
    shape = (1, 24, 20) if spatial_dims == 2 else (1, 8, 16, 12)
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape[1:]), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    labels = (radius < 0.8).astype(np.uint8) + (radius < 0.4)
    target = np.stack([labels.astype(np.float32), normalized_distance(labels)])
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return {"image": image, "label": torch.from_numpy(target)}


def always(transform):
    """Let every transform of a Compose happen each time."""
    for part in transform.transforms:
        part.prob = 1.0
        for inner in vars(part).values():
            if hasattr(inner, "prob"):
                inner.prob = 1.0
    return transform


@pytest.mark.parametrize(("spatial_dims", "thick"), [(2, None), (3, None), (3, 0)])
@pytest.mark.parametrize("probability", ["as it is", "always"])
def test_labels_stay_labels_and_shapes_stay(spatial_dims, thick, probability):
    augmentation = nnunet_augmentation(spatial_dims, thick)
    if probability == "always":
        always(augmentation)
    for seed in range(6):
        augmentation.set_random_state(seed=seed)
        before, after = sample(spatial_dims), augmentation(sample(spatial_dims))
        assert after["image"].shape == before["image"].shape
        assert after["label"].shape == before["label"].shape
        labels, distance = np.asarray(after["label"][0]), np.asarray(after["label"][1])
        assert set(np.unique(labels)) <= {0, 1, 2}
        assert distance.min() >= 0 and distance.max() <= 1
        assert torch.isfinite(torch.as_tensor(after["image"])).all()


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_the_distance_stays_with_its_voxel(spatial_dims):
    """Each value of d̂ after the transforms occurs in a voxel of that class before, or is outside (0)."""
    before = sample(spatial_dims)["label"]
    allowed = {int(label): set(before[1][before[0] == label].tolist()) for label in before[0].unique()}
    allowed[0].add(0.0)
    augmentation = always(nnunet_augmentation(spatial_dims))
    for seed in range(4):
        augmentation.set_random_state(seed=seed)
        labels, distance = augmentation(sample(spatial_dims))["label"]
        for label, values in allowed.items():
            assert set(distance[labels == label].tolist()) <= values


def test_the_image_alone_is_brightened_blurred_and_made_noisy():
    augmentation = nnunet_augmentation(2)
    for part in augmentation.transforms:
        part.prob = 0.0 if "label" in part.keys else 1.0
    before, after = sample(2), augmentation(sample(2))
    assert torch.equal(torch.as_tensor(after["label"]), before["label"])
    assert not torch.allclose(torch.as_tensor(after["image"]), before["image"])


def test_the_transforms_are_those_of_nnunet():
    found = [(type(part).__name__, part.prob) for part in nnunet_augmentation(2).transforms]
    assert found == [
        ("RandRotated", 0.2),
        ("RandZoomd", 0.2),
        ("RandGaussianNoised", 0.1),
        ("RandGaussianSmoothd", 0.2),
        ("RandScaleIntensityd", 0.15),
        ("RandScaleIntensityFixedMeand", 0.15),
        ("RandSimulateLowResolutiond", 0.25),
        ("RandAdjustContrastd", 0.1),
        ("RandAdjustContrastd", 0.3),
        ("RandFlipd", 0.5),
        ("RandFlipd", 0.5),
    ]


def test_a_lower_frequency_halves_every_probability_but_the_mirroring_s():
    whole, half = (nnunet_augmentation(3, frequency=frequency).transforms for frequency in (1, 0.5))
    for first, second in zip(whole, half, strict=True):
        assert second.prob == first.prob * (1 if isinstance(first, RandFlipd) else 0.5)


@pytest.mark.parametrize("frequency", [-0.1, 1.1, float("nan")])
def test_a_frequency_that_is_no_share_is_refused(frequency):
    with pytest.raises(InputError, match="expected a frequency of the augmentation from 0 to 1, found"):
        nnunet_augmentation(3, frequency=frequency)


@pytest.mark.parametrize("axis", [0, 2])
def test_thick_slices_are_turned_in_their_plane_only(axis):
    rotation = nnunet_augmentation(3, axis).transforms[0]
    assert isinstance(rotation, RandRotated)
    rotation.prob = 1.0
    volume = sample(3)
    # A volume whose voxels hold the number of their slice.
    shape = [1, 1, 1, 1]
    shape[axis + 1] = volume["image"].shape[axis + 1]
    volume["image"] = (torch.arange(1.0, shape[axis + 1] + 1).reshape(shape)).expand_as(volume["image"]).clone()
    volume["label"] = volume["image"].clone()
    turned = Compose([rotation]).set_random_state(seed=1)(volume)["label"]
    numbers = torch.as_tensor(turned).movedim(axis + 1, 0)
    for slice_number, plane in enumerate(numbers, start=1):
        assert set(plane.unique().tolist()) <= {0.0, float(slice_number)}
        assert (plane > 0).any()
