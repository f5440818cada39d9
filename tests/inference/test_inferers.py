from itertools import combinations

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SliceInferer, SlidingWindowInferer
from regionwise.errors import InputError
from regionwise.inference import (
    ProbabilityEnsemble,
    StreamingSliceInferer,
    ToLabelsd,
    VolumeInferer,
    load_ensemble,
    make_inferer,
)
from torch import nn


def network(spatial_dims=2, seed=0):
    torch.manual_seed(seed)
    convolution = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
    return nn.Sequential(convolution(2, 4, 3, padding=1), nn.LeakyReLU(), convolution(4, 3, 3, padding=1)).eval()


def volume(*shape):
    return torch.randn(1, 2, *shape, generator=torch.Generator().manual_seed(1))


class Left(nn.Module):
    """Logit of class 1: ln 3 in the left half of the image (column 0), 0 elsewhere, whatever the image."""

    def forward(self, image):
        logits = torch.zeros(len(image), 2, *image.shape[2:])
        logits[:, 1, ..., 0] = torch.log(torch.tensor(3.0))
        return logits


def test_mirrored_copies_are_averaged_in_place():
    image = torch.zeros(1, 1, 1, 2)
    plain = ProbabilityEnsemble([Left()], tta=False)(image)
    assert torch.allclose(plain[0, 1, 0], torch.tensor([0.75, 0.5]))
    # Mirrored back, column 0 of the flipped copy is column 1: each pixel is .75 in one half of the four copies.
    mirrored = ProbabilityEnsemble([Left()], tta=True)(image)
    assert torch.allclose(mirrored[0, 1, 0], torch.tensor([0.625, 0.625]))


def test_mirroring_sees_the_image_mirrored():
    """A network that answers the pixel itself is the same in every mirrored copy."""

    class Pixel(nn.Module):
        def forward(self, image):
            return torch.cat([torch.zeros_like(image), image], 1)

    image = volume(4, 6)[:, :1]
    expected = Pixel()(image).softmax(1)
    assert torch.allclose(ProbabilityEnsemble([Pixel()], tta=True)(image), expected, atol=1e-6)


@pytest.mark.parametrize(("spatial_dims", "passes"), [(2, 4), (3, 8)])
def test_all_combinations_of_axes_are_mirrored(spatial_dims, passes):
    seen = []

    class Count(nn.Module):
        def forward(self, image):
            seen.extend(image.clone())
            return torch.cat([image, image], 1)

    ProbabilityEnsemble([Count()])(torch.arange(2.0**spatial_dims).reshape(1, 1, *[2] * spatial_dims))
    assert len(seen) == passes
    assert len({tuple(image.ravel().tolist()) for image in seen}) == passes


@pytest.mark.parametrize("copies", [1, 2, 3, 8])
@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("batch_size", [1, 2])
@torch.no_grad()
def test_how_many_copies_one_pass_holds_does_not_change_the_result(monkeypatch, batch_size, spatial_dims, copies):
    image = volume(5, 4, 6)[:, :, 0] if spatial_dims == 2 else volume(5, 4, 6)
    image = torch.cat([image + number for number in range(batch_size)])
    ensemble = ProbabilityEnsemble([network(spatial_dims, seed) for seed in (0, 1)])
    expected = 0
    for member in ensemble.networks:
        for axes in [(), *(axes for n in (1, 2, 3) for axes in combinations(range(2, image.ndim), n))]:
            expected += member(image.flip(axes)).softmax(1).flip(axes) / 2 / 2**spatial_dims
    monkeypatch.setattr("regionwise.inference.inferers.COPIES", copies)
    assert torch.allclose(ensemble(image), expected, atol=1e-6)


@pytest.mark.parametrize(("batch_size", "bfloat16", "passes"), [(1, False, 4), (1, True, 8), (3, False, 8)])
@torch.no_grad()
def test_two_copies_of_a_window_share_a_pass_in_float32(batch_size, bfloat16, passes):
    sizes = []

    class Count(nn.Module):
        def forward(self, image):
            sizes.append(len(image))
            return torch.cat([image, image], 1)

    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        ProbabilityEnsemble([Count()])(torch.zeros(batch_size, 1, 2, 2, 2))
    assert sizes == [8 * batch_size // passes] * passes


def test_members_are_averaged_as_probabilities():
    first, second = network(seed=0), network(seed=1)
    image = volume(8, 8)
    mean = (first(image).softmax(1) + second(image).softmax(1)) / 2
    ensemble = ProbabilityEnsemble([first, second], tta=False)
    assert torch.allclose(ensemble(image), mean, atol=1e-6)
    assert torch.allclose(ProbabilityEnsemble([first, second])(image).sum(1), torch.ones(1, 8, 8), atol=1e-6)


def test_an_ensemble_needs_a_member():
    with pytest.raises(InputError, match="expected at least one network in an ensemble, found none"):
        ProbabilityEnsemble([])


def test_each_checkpoint_is_loaded_into_a_copy(tmp_path):
    files = []
    for seed in (3, 4):
        files.append(str(tmp_path / f"{seed}.pt"))
        torch.save(network(seed=seed).state_dict(), files[-1])
    given = network(seed=5)
    before = given[0].weight.clone()
    image = volume(8, 8)
    for checkpoints, seeds in ((files, (3, 4)), (files[0], (3,))):
        expected = sum(network(seed=seed)(image).softmax(1) for seed in seeds) / len(seeds)
        assert torch.allclose(load_ensemble(given, checkpoints, tta=False)(image), expected, atol=1e-6)
    assert torch.equal(given[0].weight, before)


def test_a_member_that_cannot_be_loaded_fails_the_ensemble(tmp_path):
    good = tmp_path / "good.pt"
    torch.save(network().state_dict(), good)
    with pytest.raises(InputError, match=r"expected a checkpoint at .*missing\.pt, not found"):
        load_ensemble(network(), [str(good), str(tmp_path / "missing.pt")])
    other = tmp_path / "other.pt"
    torch.save(network(3).state_dict(), other)
    with pytest.raises(InputError, match=r"the checkpoint .*other\.pt does not fit the network: 2 weights differ"):
        load_ensemble(network(), [str(good), str(other)])


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("slices", [1, 3, 8])
@torch.no_grad()
def test_streaming_slices_equal_monais_slice_inferer(axis, slices):
    model, image = network(), volume(7, 9, 8)
    whole = SliceInferer(roi_size=(4, 6), spatial_dim=axis, sw_batch_size=3, overlap=0.5, mode="gaussian")
    expected = whole(image, model).softmax(1)

    def probabilities(x):
        return model(x).softmax(1)

    streamed = StreamingSliceInferer((4, 6), axis, slices=slices)(image, model)
    assert streamed.dtype == torch.uint8
    assert torch.equal(streamed.long(), expected.argmax(1, keepdim=True))
    averaged = whole(image, probabilities)
    kept = StreamingSliceInferer((4, 6), axis, slices=slices, probabilities=True)(image, probabilities)
    assert kept.shape == (1, 3, 7, 9, 8)
    assert torch.allclose(kept, averaged, atol=1e-6)


@torch.no_grad()
def test_an_image_smaller_than_the_window_keeps_its_shape():
    assert StreamingSliceInferer((16, 16), 0)(volume(2, 5, 7), network()).shape == (1, 1, 2, 5, 7)


@torch.no_grad()
def test_each_image_of_a_batch_is_segmented_by_itself():
    images = torch.cat([volume(3, 8, 8), volume(3, 8, 8).flip(2)])
    together = StreamingSliceInferer((8, 8), 0)(images, network())
    alone = [StreamingSliceInferer((8, 8), 0)(image[None], network()) for image in images]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("inferer", [StreamingSliceInferer((4, 4), 0), VolumeInferer((4, 4, 4))])
@torch.no_grad()
def test_the_result_keeps_the_metadata_of_the_input(inferer):
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0]))
    image = MetaTensor(volume(5, 6, 7), affine=affine)
    result = inferer(image, network(2 if isinstance(inferer, StreamingSliceInferer) else 3))
    assert isinstance(result, MetaTensor)
    assert torch.equal(result.affine.float(), affine)


@torch.no_grad()
def test_volumes_equal_monais_sliding_window():
    model, image = network(3), volume(6, 7, 8)
    expected = SlidingWindowInferer((4, 4, 4), overlap=0.5, mode="gaussian")(image, model)
    assert torch.equal(VolumeInferer((4, 4, 4))(image, model).long(), expected.argmax(1, keepdim=True))
    assert torch.allclose(VolumeInferer((4, 4, 4), probabilities=True)(image, model), expected, atol=1e-6)


def test_the_dimension_of_the_network_chooses_the_inferer():
    flat = make_inferer([4, 4], slice_axis=1)
    assert isinstance(flat, StreamingSliceInferer)
    assert (flat.spatial_dim, flat.probabilities) == (1, True)
    assert isinstance(make_inferer([4, 4, 4], probabilities=False), VolumeInferer)


def test_scores_become_labels_and_labels_stay():
    scores = torch.tensor([[0.2, 0.5], [0.3, 0.5], [0.5, 0.0]]).reshape(3, 1, 1, 2)
    result = ToLabelsd("pred")({"pred": scores, "other": 1})
    assert result["pred"].tolist() == [[[[2, 0]]]]
    assert result["pred"].dtype == torch.uint8
    assert torch.equal(ToLabelsd("pred")(result)["pred"], result["pred"])
