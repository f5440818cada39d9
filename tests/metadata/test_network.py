import pytest
import torch
from monai.data import MetaTensor
from monai.networks.nets import DynUNet
from monai.transforms import Compose, RandScaleIntensityd
from regionwise.data.store import settings_of
from regionwise.errors import InputError
from regionwise.metadata import AddMetadatad, FilmDynUNet, past_metadata
from regionwise.training import make_augmentation

OPTIONS = {
    "spatial_dims": 2,
    "out_channels": 3,
    "kernel_size": [3, 3, 3],
    "strides": [1, 2, 2],
    "upsample_kernel_size": [2, 2],
    "filters": [4, 8, 16],
}


def network():
    torch.manual_seed(0)
    return FilmDynUNet(in_channels=1, categories=[3, 4], features=6, **OPTIONS).eval()


def image(*codes, size=16):
    values = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    return torch.cat([values, *(torch.full_like(values, code) for code in codes)], 1)


def test_at_the_start_metadata_change_nothing():
    film = network()
    plain = DynUNet.forward(film, film.stem(image()))
    for codes in ((0, 0), (1, 2), (2, 3)):
        assert torch.allclose(film(image(*codes)), plain, rtol=0, atol=1e-7)


def test_a_step_of_training_makes_them_count_and_the_unknown_has_its_own_vector():
    film = network()
    loss = film(image(1, 2))[:, 1].sum()
    loss.backward()
    assert film.modulation.weight.grad.abs().sum() > 0
    with torch.no_grad():
        film.modulation.weight -= 0.01 * film.modulation.weight.grad
    outputs = [film(image(*codes)) for codes in ((1, 2), (2, 2), (0, 2), (0, 0))]
    assert all(not torch.allclose(one, other) for i, one in enumerate(outputs) for other in outputs[:i])


def test_gamma_may_amplify_and_subtract():
    film = network()
    with torch.no_grad():
        film.modulation.bias[:6] = -2.0  # 1 + delta = -1
    flipped = DynUNet.forward(film, -film.stem(image()))
    assert torch.allclose(film(image(1, 1)), flipped, atol=1e-5)


def test_padding_does_not_change_the_category():
    film = network()
    with torch.no_grad():
        film.modulation.weight.normal_()
    padded = torch.nn.functional.pad(image(2, 1), (8, 8, 8, 8))
    whole = padded.clone()
    whole[:, 1], whole[:, 2] = 2, 1
    assert torch.equal(film(padded), film(whole))


def test_categories_are_appended_and_the_geometry_stays(tmp_path):
    (tmp_path / "Info.cfg").write_text("Height: 170\nGroup: DCM\n")
    given = MetaTensor(torch.ones(1, 3, 4, 5), affine=torch.diag(torch.tensor([2.0, 3, 4, 1])))
    add = AddMetadatad("image", {"Height": [160, 175], "Scanner": ["A"]})
    result = add({"image": given, "scan": str(tmp_path / "a.nii.gz")})["image"]
    assert result.shape == (3, 3, 4, 5)
    assert [float(channel.unique()) for channel in result] == [1, 2, 0]
    assert torch.equal(result.affine, given.affine)


def test_other_metadata_are_another_entry_of_the_store(tmp_path):
    digests = []
    for height in (150, 150, 190):
        (tmp_path / "Info.cfg").write_text(f"Height: {height}\n")
        digests.append(settings_of(AddMetadatad("image", {"Height": [160]}, tmp_path)))
    assert digests[0] == digests[1] != digests[2]


def test_augmentation_does_not_see_the_categories():
    double = RandScaleIntensityd("image", factors=(1.0, 1.0), prob=1)
    augmentation = past_metadata(Compose([double]), {"Height": [160], "Scanner": ["A"]})
    sample = {"image": image(2, 1)[0], "label": torch.zeros(1, 16, 16)}
    sample["image"][1:, :4] = 0  # as the padding of a patch
    result = augmentation(sample)["image"]
    assert torch.allclose(result[0], 2 * image()[0, 0])
    assert [float(channel.unique()) for channel in result[1:]] == [2, 1]


def test_an_augmentation_of_batches_is_one_line():
    with pytest.raises(InputError, match="pass --augmentation workers"):
        past_metadata(make_augmentation("device"), {"Height": [160]})
