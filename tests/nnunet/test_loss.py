import pytest
import torch
from regionwise.errors import InputError
from regionwise.losses import make_loss
from regionwise.nnunet import LevelLosses, level_spacings


def levels(sizes, num_classes=3, dtype=torch.float32):
    """Return random logits, and labels as nnU-Net gives them: int16, (B, 1, *spatial), for each size."""
    generator = torch.Generator().manual_seed(0)
    outputs = [torch.randn(2, num_classes, *size, generator=generator, dtype=dtype) for size in sizes]
    targets = [torch.randint(num_classes, (2, 1, *size), generator=generator).to(torch.int16) for size in sizes]
    return [output.requires_grad_() for output in outputs], targets


def test_the_voxels_of_a_level_grow_along_the_axes_it_pools():
    # 10 mm slices: the first pooling is in plane only.
    scales = [[1, 1, 1], [1, 0.5, 0.5], [0.5, 0.25, 0.25]]
    assert level_spacings([10, 1.5, 1.5], scales) == [(10, 1.5, 1.5), (10, 3, 3), (20, 6, 6)]
    assert level_spacings([1.5, 1.25], None) == [(1.5, 1.25)]


def test_scales_of_another_number_of_axes():
    with pytest.raises(InputError, match=r"expected scales of 2 axes, as the spacing has, got \[1, 1, 1\]"):
        level_spacings([1.5, 1.5], [[1, 1, 1]])


@pytest.mark.parametrize("name", ["rrw", "boundary", "wce_rrw", "rrw+dice:equal"])
def test_each_level_is_compared_with_its_own_target_at_its_own_voxel_size(name):
    outputs, targets = levels([(4, 12, 12), (4, 6, 6), (2, 3, 3)])
    spacings = level_spacings([5, 1, 1], [[1, 1, 1], [1, 0.5, 0.5], [0.5, 0.25, 0.25]])
    losses = [make_loss(name, spacing) for spacing in spacings]
    total = LevelLosses(losses, (0.6, 0.4, 0))(outputs, targets)
    expected = 0.6 * losses[0](outputs[0], targets[0]) + 0.4 * losses[1](outputs[1], targets[1])
    torch.testing.assert_close(total, expected)
    total.backward()
    assert outputs[0].grad.abs().sum() > 0 and outputs[1].grad.abs().sum() > 0
    assert outputs[2].grad is None  # weight 0: not computed


def test_a_voxel_size_changes_the_loss():
    outputs, targets = levels([(6, 6, 6)])
    thick, cubes = (LevelLosses([make_loss("rrw", spacing)], (1,)) for spacing in ((5, 1, 1), (1, 1, 1)))
    assert not torch.isclose(thick(outputs, targets), cubes(outputs, targets), rtol=1e-3)


@pytest.mark.parametrize("name", ["rrw", "boundary+ce:equal"])
def test_autocast(name):
    outputs, targets = levels([(16, 16), (8, 8)], dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        loss = LevelLosses([make_loss(name), make_loss(name)], (0.7, 0.3))(outputs, targets)
    loss.backward()
    assert loss.dtype == torch.float32 and loss.isfinite()
    assert all(output.grad.dtype == torch.bfloat16 and output.grad.isfinite().all() for output in outputs)


def test_the_wrong_number_of_levels():
    with pytest.raises(InputError, match="expected 1 weights, one per level, got 2"):
        LevelLosses([make_loss("rrw")], (1, 0))
    outputs, targets = levels([(8, 8), (4, 4)])
    loss = LevelLosses([make_loss("rrw")] * 2, (0.5, 0.5))
    with pytest.raises(InputError, match="expected outputs and targets of 2 levels, got 2 and 1"):
        loss(outputs, targets[:1])


def test_a_label_that_is_no_class():
    outputs, targets = levels([(8, 8)])
    targets[0][0, 0, 0, 0] = -1
    with pytest.raises(InputError, match="expected labels from 0 to 2, found -1"):
        LevelLosses([make_loss("rrw")], (1,))(outputs, targets)
