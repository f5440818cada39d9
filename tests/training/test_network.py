import pytest
import torch
from monai.networks.nets import DynUNet
from regionwise.training import count_supervised, encoder_strides, level_strides


@pytest.mark.parametrize(
    ("upsampling", "strides"),
    [
        ([2, 2, 2], [1, 2]),
        ([2, 2, 2, 2, 2], [1, 2, 4, 8]),
        ([3, 2, 2], [1, 3]),
        ([[2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 1]], [[1, 1, 1], [2, 2, 1], [4, 4, 2]]),
        ([2, [2, 1], 2], [[1, 1], [2, 2]]),
    ],
)
def test_strides_multiply_and_leave_the_lowest_level_out(upsampling, strides):
    assert level_strides(upsampling) == strides


def test_there_is_a_stride_for_each_output_of_the_network():
    upsampling = [2, 2, 2, 2]
    network = DynUNet(
        2,
        1,
        3,
        [3] * 5,
        encoder_strides(upsampling),
        upsampling,
        filters=[4] * 5,
        deep_supervision=True,
        deep_supr_num=count_supervised(upsampling),
    )
    assert network(torch.zeros(2, 1, 32, 32)).shape[1] == len(level_strides(upsampling))
