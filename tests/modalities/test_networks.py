import pytest
import torch
from monai.networks.nets import DynUNet
from regionwise.modalities import HemisDynUNet, PresenceDynUNet
from regionwise.modalities.dropout import without
from regionwise.modalities.networks import fuse, split_missing
from regionwise.modalities.subsets import subsets

OPTIONS = {
    "spatial_dims": 2,
    "out_channels": 4,
    "kernel_size": [3, 3, 3],
    "strides": [1, 2, 2],
    "upsample_kernel_size": [2, 2],
    "filters": [4, 8, 16],
}


def image():
    return torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))


def missing(channels):
    return torch.stack([without(one, list(channels)) for one in image()])


@pytest.fixture(params=[PresenceDynUNet, HemisDynUNet])
def network(request):
    torch.manual_seed(0)
    return request.param(in_channels=4, **OPTIONS).eval()


def test_the_output_is_finite_for_every_subset(network):
    for kept in subsets(4):
        scores = network(missing(set(range(4)) - set(kept)))
        assert scores.shape == (2, 4, 16, 16)
        assert torch.isfinite(scores).all()


def test_a_missing_modality_is_not_one_of_zeros(network):
    zeros = image()
    zeros[:, 2] = 0
    assert not torch.allclose(network(zeros), network(missing([2])))


def test_gradients_are_finite_with_one_modality(network):
    network(missing([0, 1, 3])).sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in network.parameters() if value.grad is not None)


def test_padding_does_not_make_a_modality_present():
    padded = torch.nn.functional.pad(missing([1]), (4, 4, 4, 4))
    values, present = split_missing(padded)
    assert present.tolist() == [[True, False, True, True]] * 2
    assert not torch.isnan(values).any()


def test_the_fusion_ignores_missing_modalities_whatever_is_in_them():
    features = torch.randn(1, 4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    present = torch.tensor([[True, False, True, False]])
    mean, variance = fuse(features, present)
    assert torch.allclose(mean, features[:, [0, 2]].mean(1))
    assert torch.allclose(variance, features[:, [0, 2]].var(1, unbiased=False))
    features[:, 1] = 1e6
    assert all(torch.equal(one, other) for one, other in zip(fuse(features, present), (mean, variance), strict=True))


def test_one_modality_has_no_variance_and_none_gives_zeros():
    features = torch.randn(1, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    mean, variance = fuse(features, torch.tensor([[False, True, False, False]]))
    assert torch.equal(mean, features[:, 1])
    assert torch.count_nonzero(variance) == 0
    assert not any(one.any() for one in fuse(features, torch.zeros(1, 4, dtype=torch.bool)))


def test_a_mask_of_another_type_would_be_an_index_and_is_refused():
    """``features[mask]`` with integers picks modalities 0 and 1 instead of masking."""
    with pytest.raises(RuntimeError):
        fuse(torch.zeros(1, 4, 3, 5), torch.ones(1, 4, dtype=torch.int64))


def test_the_heads_of_deep_supervision_are_those_of_a_dynunet():
    network = PresenceDynUNet(in_channels=4, deep_supervision=True, deep_supr_num=1, **OPTIONS)
    assert isinstance(network, DynUNet)
    assert network(image()).shape == (2, 2, 4, 16, 16)
