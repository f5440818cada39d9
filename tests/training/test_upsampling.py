import pytest
import torch
from monai.networks.nets import DynUNet, UNet
from regionwise.training import even_upsampling


def dyn_unet(axes: int) -> DynUNet:
    torch.manual_seed(0)
    return DynUNet(axes, 1, 2, [3] * 3, [1, 2, 2], [2, 2], filters=[4, 8, 16])


@pytest.mark.parametrize("axes", [2, 3])
def test_upsampling_starts_as_nearest_neighbor_enlargement(axes: int) -> None:
    layer = even_upsampling(dyn_unet(axes)).upsamples[1].transp_conv.conv
    image = torch.randn(1, 8, *[3] * axes)
    pointwise = layer.weight.detach().flatten(2)[:, :, 0].T
    expected = torch.einsum("oi,bi...->bo...", pointwise, image)
    for axis in range(2, 2 + axes):
        expected = expected.repeat_interleave(2, dim=axis)
    torch.testing.assert_close(layer(image), expected)


def test_variance_of_the_start_values_stays() -> None:
    before = dyn_unet(3).upsamples[0].transp_conv.conv.weight
    after = even_upsampling(dyn_unet(3)).upsamples[0].transp_conv.conv.weight
    assert float(after.std()) == pytest.approx(float(before.std()), rel=0.1)


def test_other_weights_and_the_random_stream_stay() -> None:
    before, after = dyn_unet(2).state_dict(), even_upsampling(dyn_unet(2)).state_dict()
    drawn = torch.rand(1)
    dyn_unet(2)
    assert torch.equal(torch.rand(1), drawn)
    for name, weight in before.items():
        assert torch.equal(after[name], weight) == ("transp_conv" not in name), name


def test_a_dyn_unet_inside_another_network_starts_evenly() -> None:
    outer = torch.nn.Sequential(torch.nn.Conv2d(2, 1, 1), dyn_unet(2))
    assert even_upsampling(outer) is outer
    weight = outer[1].upsamples[0].transp_conv.conv.weight
    assert torch.equal(weight, weight[:, :, :1, :1].expand_as(weight))


def test_other_networks_stay_as_they_are() -> None:
    network = UNet(2, 1, 2, (4, 8, 16), (2, 2))
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    for name, weight in even_upsampling(network).state_dict().items():
        assert torch.equal(weight, before[name])


def test_gradients_reach_each_position_of_the_kernel_on_its_own() -> None:
    network = even_upsampling(dyn_unet(2))
    network(torch.randn(2, 1, 16, 16)).square()[:, :, ::2].mean().backward()
    gradient = network.upsamples[1].transp_conv.conv.weight.grad
    assert not torch.allclose(gradient[:, :, 0], gradient[:, :, 1])
