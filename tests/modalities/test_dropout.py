from collections import Counter

import pytest
import torch
from monai.transforms import Compose, NormalizeIntensityd
from regionwise.errors import InputError
from regionwise.modalities import DropModalitiesd, with_dropout
from regionwise.modalities.dropout import without
from regionwise.training import make_augmentation, nnunet_augmentation


def sample():
    return {"image": torch.ones(4, 3, 3), "label": torch.ones(1, 3, 3)}


def test_every_number_of_modalities_stays_equally_often_and_at_least_one():
    drop = DropModalitiesd().set_random_state(0)
    left = Counter(4 - int(torch.isnan(drop(sample())["image"]).flatten(1).all(1).sum()) for _ in range(2000))
    assert sorted(left) == [1, 2, 3, 4]
    assert all(430 < count < 570 for count in left.values())


def test_a_channel_is_missing_as_a_whole_and_the_label_stays():
    drop = DropModalitiesd().set_random_state(1)
    for _ in range(50):
        given = sample()
        missing = torch.isnan(drop(given)["image"]).flatten(1)
        assert torch.equal(missing.any(1), missing.all(1))
        assert torch.equal(given["image"], torch.ones(4, 3, 3))  # a copy was changed
        assert torch.equal(given["label"], torch.ones(1, 3, 3))


def test_without_probability_nothing_is_dropped():
    drop = DropModalitiesd(probability=0)
    assert not any(torch.isnan(drop(sample())["image"]).any() for _ in range(20))


@pytest.mark.parametrize("probability", [-0.1, 1.5, "often", True])
def test_a_wrong_probability_is_one_line(probability):
    with pytest.raises(InputError, match="expected a probability of modality dropout from 0 to 1, found"):
        DropModalitiesd(probability=probability)


def test_dropout_comes_last_in_one_flat_composition():
    augmentation = nnunet_augmentation(2)
    whole = with_dropout(augmentation, 0.5)
    assert type(whole) is Compose
    assert whole.transforms[:-1] == tuple(augmentation.transforms)
    assert whole.transforms[-1].prob == 0.5


def test_a_missing_channel_passes_the_z_score_and_the_others_do_not_notice():
    image = torch.randn(4, 6, 6, 6, generator=torch.Generator().manual_seed(0))
    image[:, :2] = 0
    normalize = NormalizeIntensityd("image", nonzero=True, channel_wise=True)
    whole, part = (normalize({"image": one})["image"] for one in (image.clone(), without(image, [1, 3])))
    assert torch.isnan(part[[1, 3]]).all()
    assert torch.equal(part[[0, 2]], whole[[0, 2]])


def test_an_augmentation_of_batches_is_one_line():
    with pytest.raises(InputError, match="pass --augmentation workers"):
        with_dropout(make_augmentation("device"))
