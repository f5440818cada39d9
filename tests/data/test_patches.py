from itertools import islice

import numpy as np
import pytest
import torch
from monai.transforms import RandFlipd
from regionwise.data import StreamSampler
from regionwise.data.patches import PatchDataset, VolumeDataset
from regionwise.distance import normalized_distance
from regionwise.errors import InputError
from regionwise.training import make_augmentation, nnunet_augmentation, prepare_batch
from torch.utils.data import DataLoader

from ..datasets.cases import SHAPE, SPACING_MM, blocks, read_only, write_case


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return [write_case(folder, name, seed=seed) for seed, name in enumerate("abc")]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def make(data, cache):
    def patches(patch_size=(4, 4), **settings):
        return PatchDataset(data, read_only(), cache, patch_size, **settings)

    return patches


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in ("image", "label"))


def places(volume, patch):
    """Return where a patch occurs in a volume."""
    windows = np.lib.stride_tricks.sliding_window_view(volume, patch.shape)
    return np.argwhere((windows == patch).all(axis=tuple(range(volume.ndim, windows.ndim))))


def test_parameters_of_a_batch_s_augmentation_come_with_each_sample(make):
    augmentation = make_augmentation("device")
    dataset, plain = make((8, 8), augmentation=augmentation), make((8, 8))
    for index in (5, 0):
        first, again = dataset[index], dataset[index]
        assert same(first, plain[index])  # workers only read
        assert {name: value.tolist() for name, value in first["augmentation"].items()} == {
            name: value.tolist() for name, value in again["augmentation"].items()
        }
    assert dataset[0]["augmentation"]["noise_seed"] != dataset[5]["augmentation"]["noise_seed"]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_stream_is_augmented_alike_on_the_device(make, workers):
    dataset = make((8, 8), augmentation=make_augmentation("device"))

    def batches(position, count):
        sampler = StreamSampler(0, 1)
        sampler.position = position
        loader = DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=workers)
        return [prepare_batch(batch, "cpu") for batch in islice(loader, count)]

    whole, resumed = batches(0, 3), batches(8, 1)
    for one, other in zip(whole[2], resumed[0], strict=True):
        assert torch.equal(one, other)


def test_a_sample_depends_on_seed_and_index_alone(make):
    first, again, other = (make(augmentation=nnunet_augmentation(2), seed=seed) for seed in (0, 0, 1))
    for index in (11, 3, 200):
        first[index + 1]  # what was drawn before changes nothing
        assert same(first[index], again[index])
    assert not any(same(first[index], other[index]) for index in range(5))


@pytest.mark.parametrize("patch_size", [(8, 8), (8, 8, 4)])
def test_a_sample_is_the_same_from_a_process_of_the_loader(make, patch_size):
    dataset = make(patch_size, augmentation=nnunet_augmentation(len(patch_size)))
    loader = DataLoader(dataset, batch_size=2, sampler=range(40), num_workers=2)
    for number, batch in enumerate(loader):
        for place in range(2):
            expected = dataset[2 * number + place]
            assert torch.equal(batch["label"][place], expected["label"])
            assert torch.allclose(batch["image"][place], expected["image"], atol=1e-5)


def test_a_patch_is_a_window_of_a_slice(make):
    dataset = make(foreground_fraction=0, distance="precomputed")
    images = [case.image[0].astype(np.float32) for case in dataset.cases]
    for index in range(12):
        sample = dataset[index]
        assert sample["image"].shape == (1, 4, 4) and sample["label"].shape == (2, 4, 4)
        assert sample["image"].dtype == sample["label"].dtype == torch.float32
        assert type(sample["image"]) is torch.Tensor
        found = [(case, *place) for case in range(3) for place in places(images[case], sample["image"].numpy())]
        ((case, z, y, x),) = found
        window = np.s_[z, y : y + 4, x : x + 4]
        assert np.array_equal(sample["label"][0], dataset.cases[case].label[window])
        assert np.array_equal(sample["label"][1], dataset.cases[case].distance[window].astype(np.float32))


def test_a_patch_in_3d_is_a_window_of_the_volume(make):
    dataset = make((4, 5, 2), foreground_fraction=0.5)
    images = [case.image[0].astype(np.float32) for case in dataset.cases]
    for index in range(12):
        sample = dataset[index]
        assert sample["image"].shape == (1, 4, 5, 2) and sample["label"].shape == (2, 4, 5, 2)
        found = [(case, *place) for case in range(3) for place in places(images[case], sample["image"][0].numpy())]
        ((case, x, y, z),) = found
        window = np.s_[x : x + 4, y : y + 5, z : z + 2]
        assert np.array_equal(sample["label"][0], dataset.cases[case].label[window])


def test_every_window_can_be_drawn(make):
    dataset = make(foreground_fraction=0)
    images = [case.image[0].astype(np.float32) for case in dataset.cases]
    drawn = set()
    for index in range(600):
        patch = dataset[index]["image"].numpy()
        drawn |= {tuple(map(int, place)) for image in images for place in places(image, patch)}
    slices, rows, columns = (sorted({place[axis] for place in drawn}) for axis in range(3))
    assert slices == [0, 1, 2, 3]
    assert rows == list(range(8 - 4 + 1))
    assert columns == list(range(10 - 4 + 1))


def test_a_smaller_image_is_centered_in_zeros(make):
    sample = make((12, 13), foreground_fraction=1)[0]
    inside = np.s_[:, 2:10, 1:11]
    assert np.count_nonzero(sample["image"][inside]) == 8 * 10
    assert np.count_nonzero(sample["image"]) == 8 * 10
    assert np.array_equal(sample["label"][0][2:10, 1:11], blocks()[:, :, 1])
    padding = sample["label"].clone()
    padding[inside] = 0
    assert torch.count_nonzero(padding) == 0


def test_one_axis_may_be_smaller_and_another_larger_than_the_patch(make):
    sample = make((4, 16, 6), foreground_fraction=0)[1]
    assert sample["image"].shape == (1, 4, 16, 6)
    assert torch.count_nonzero(sample["image"][:, :, 3:13, 1:5]) == torch.count_nonzero(sample["image"]) == 4 * 4 * 10


def test_a_map_of_the_volume_is_a_second_channel_and_a_map_of_the_batch_is_none(make):
    with_map, without = make(distance="precomputed")[5], make(distance="on_the_fly")[5]
    assert with_map["label"].shape == (2, 4, 4) and without["label"].shape == (1, 4, 4)
    assert torch.equal(with_map["label"][:1], without["label"])
    assert torch.equal(with_map["image"], without["image"])


def holds(dataset, label, count=400):
    return np.mean([bool((dataset[index]["label"][0] == label).any()) for index in range(count)])


def test_foreground_is_as_frequent_as_asked_for(make):
    """Of one-voxel patches, each is of a labeled voxel exactly if it was drawn from the foreground, or by chance."""
    by_chance = np.count_nonzero(blocks()) / blocks().size
    for fraction in (0.0, 0.33, 1.0):
        dataset = make((1, 1), foreground_fraction=fraction)
        labeled = np.mean([float(dataset[index]["label"][0]) > 0 for index in range(1500)])
        expected = fraction + (1 - fraction) * by_chance
        assert abs(labeled - expected) < 4 * np.sqrt(0.25 / 1500), (fraction, labeled, expected)


def test_classes_are_drawn_evenly_however_small(make):
    dataset = make((1, 1), foreground_fraction=1)
    labels = [int(dataset[index]["label"][0]) for index in range(1000)]
    assert set(labels) == {1, 2}
    assert abs(labels.count(2) / 1000 - 0.5) < 0.07  # 12 voxels of 84


def test_a_foreground_patch_holds_its_voxel_also_at_the_border(make):
    dataset = make((4, 4), foreground_fraction=1)
    assert all(bool(dataset[index]["label"][0].any()) for index in range(200))


def test_labeled_slices_only(make):
    assert holds(make((8, 10), foreground_fraction=0), 1) < 0.7  # half of the slices are empty
    assert holds(make((8, 10), foreground_fraction=0, labeled_slices_only=True), 1) == 1
    in_3d = make((8, 10, 1), foreground_fraction=0, labeled_slices_only=True)
    assert holds(in_3d, 1) < 0.7  # a setting of the paper's slices alone


def test_an_empty_case_is_drawn_from_all_the_same(tmp_path):
    item = write_case(tmp_path, "empty", np.zeros(SHAPE, np.uint8))
    dataset = PatchDataset([item], read_only(), tmp_path / "cache", (4, 4), "precomputed", None, 1.0, True)
    sample = dataset[0]
    assert not sample["label"][0].any()
    assert torch.all(sample["label"][1] == 1)  # one label fills the volume: d̂ is 1 by definition


def test_the_distance_moves_with_the_label(make):
    plain = make((8, 10), foreground_fraction=1)
    flipped = make((8, 10), foreground_fraction=1, augmentation=RandFlipd(["image", "label"], prob=1, spatial_axis=0))
    for index in range(5):
        for key in ("image", "label"):
            assert torch.equal(flipped[index][key], plain[index][key].flip(1))
    expected = normalized_distance(blocks(), spacing=SPACING_MM)[:, :, 1]
    assert np.allclose(plain[0]["label"][1], expected, atol=1e-3)


def test_loading_in_batches_gives_what_the_network_takes(make):
    batch = next(iter(DataLoader(make((4, 4)), batch_size=3, sampler=range(3))))
    assert batch["image"].shape == (3, 1, 4, 4)
    assert batch["label"].shape == (3, 2, 4, 4)


def test_the_length_is_the_number_of_cases(make, data, cache):
    assert len(make()) == len(VolumeDataset(data, read_only(), cache, (4, 4))) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distance": "slice"}, "expected distance 'precomputed' or 'on_the_fly', found 'slice'"),
        ({"patch_size": (4,)}, r"expected patch_size of two or three numbers, found \[4\]"),
        ({"patch_size": (4, 4, 4, 4)}, "expected patch_size of two or three numbers"),
    ],
)
def test_settings_that_make_no_patch_are_refused(make, settings, message):
    with pytest.raises(InputError, match=message):
        make(**settings)


@pytest.mark.parametrize("patch_size", [(4, 4), (4, 4, 2)])
def test_a_volume_is_the_stored_case_in_the_order_of_the_file(data, cache, patch_size):
    dataset = VolumeDataset(data, read_only(), cache, patch_size, slice_axis=2)
    item = dataset[1]
    assert item["case_id"] == "b"
    assert item["image"].shape == item["label"].shape == (1, 8, 10, 4)
    assert item["image"].dtype == item["label"].dtype == torch.float32
    assert np.array_equal(item["label"][0], blocks())
    stored = dataset.cases[1].image.astype(np.float32)
    assert np.array_equal(item["image"], np.moveaxis(stored, 1, 3) if len(patch_size) == 2 else stored)
