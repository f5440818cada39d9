import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.data import MetaTensor
from regionwise.errors import InputError
from regionwise.fusion import METHODS, FuseRatersd, draw_rater, fuse_raters, majority_vote, mean_signed_distance

rater_maps = hnp.arrays(
    np.uint8, st.tuples(st.integers(2, 4), *[st.integers(2, 6)] * 3), elements=st.sampled_from([0, 1, 3])
)
LINE = np.array([[[0, 0, 1, 1, 2]], [[0, 1, 1, 2, 2]], [[0, 2, 0, 2, 2]]], np.uint8)  # three raters, 1 x 5


def test_majority_by_hand_and_ties_go_to_the_smallest_label():
    assert majority_vote(LINE).tolist() == [[0, 0, 1, 2, 2]]  # 0, 1, 2 tie at the second voxel
    assert majority_vote(np.array([[[2, 3]], [[3, 2]]])).tolist() == [[2, 2]]


def test_average_is_the_share_of_the_raters():
    soft = fuse_raters(LINE, "average", 4)
    assert soft.shape == (4, 1, 5)
    np.testing.assert_allclose(soft[:, 0, 1], [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)
    np.testing.assert_allclose(soft.sum(0), 1, rtol=1e-6)
    with pytest.raises(InputError, match="expected labels from 0 to 1, found 2"):
        fuse_raters(LINE, "average", 2)


def test_mean_signed_distance_lies_between_the_raters():
    small, large = np.zeros((21, 21), np.uint8), np.zeros((21, 21), np.uint8)
    small[8:13, 8:13], large[4:17, 4:17] = 1, 1
    fused = mean_signed_distance(np.stack([small, large]))
    assert 25 < fused.sum() < 169
    assert fused[10].nonzero()[0].tolist() == list(range(6, 15))  # between 4 and 8: at 6 -3 and +2
    wide = np.zeros((21, 21), np.uint8)
    wide[10] = 1  # in mm, not in voxels: rows 10 mm apart
    assert mean_signed_distance(np.stack([small, wide]), (10.0, 1.0))[9].sum() == 0


def test_a_structure_that_one_of_two_raters_left_out_is_left_out_by_distance():
    disk = np.zeros((9, 9), np.uint8)
    disk[3:6, 3:6] = 1
    assert not mean_signed_distance(np.stack([disk, np.zeros_like(disk)])).any()
    assert np.array_equal(mean_signed_distance(np.stack([disk, disk, np.zeros_like(disk)] * 2 + [disk] * 30)), disk)


@pytest.mark.parametrize("method", METHODS)
@given(maps=rater_maps)
@settings(deadline=None, derandomize=True, max_examples=25)
def test_no_voxel_gets_a_label_that_no_rater_gave_there(method, maps):
    if method == "staple":
        pytest.importorskip("SimpleITK")
    fused = fuse_raters(maps, method, case_id="a")
    if method == "average":
        fused = fused.argmax(0).astype(maps.dtype)
    assert fused.dtype == maps.dtype
    assert (maps == fused).any(0).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("labels", [[0], [1], [0, 1], [0, 2, 5]])
def test_raters_who_agree_are_right(method, labels):
    if method == "staple":
        pytest.importorskip("SimpleITK")
    one = np.random.default_rng(0).choice(labels, (7, 8, 9)).astype(np.uint8)
    fused = fuse_raters(np.stack([one] * 3), method)
    assert np.array_equal(fused.argmax(0) if method == "average" else fused, one)


def test_a_drawn_rater_is_one_per_case_and_epoch():
    draws = [[draw_rater(3, f"case{n}", epoch) for n in range(40)] for epoch in range(2)]
    assert draws[0] != draws[1]
    assert set(draws[0]) == {0, 1, 2}
    assert draws == [[draw_rater(3, f"case{n}", epoch) for n in range(40)] for epoch in range(2)]
    assert draws[0] != [draw_rater(3, f"case{n}", 0, seed=1) for n in range(40)]


def test_the_transform_keeps_geometry_and_draws_anew_each_epoch():
    affine = np.diag([2.0, 1.0, 1.0, 1.0])
    maps = MetaTensor(torch.from_numpy(LINE[:, :, :, None]), affine=torch.from_numpy(affine))
    fused = FuseRatersd("label", "distance")({"label": maps})["label"]
    assert isinstance(fused, MetaTensor)
    assert fused.shape == (1, 1, 5, 1)
    np.testing.assert_array_equal(fused.affine, affine)
    soft = FuseRatersd("label", "average", num_classes=3)({"label": maps})["label"]
    assert soft.shape == (3, 1, 5, 1)
    draw = FuseRatersd("label", "random")
    results = []
    for epoch in range(20):
        draw.set_epoch(epoch)
        results.append(draw({"label": maps, "case_id": "a"})["label"].flatten().tolist())
    assert {tuple(one) for one in results} == {tuple(one.ravel().tolist()) for one in LINE}


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: fuse_raters(LINE, "mean"), "Unknown fusion method 'mean'; .*choices: majority, average"),
        (lambda: fuse_raters(LINE[0]), r"expected label maps \(raters, \*spatial\).*got \(1, 5\)"),
        (lambda: fuse_raters(LINE * 0.5), "found the fraction 0.5"),
        (lambda: FuseRatersd("label", "votes"), "Unknown fusion method 'votes'"),
        (lambda: FuseRatersd("label", "average"), "expected num_classes with method 'average'"),
        (lambda: FuseRatersd("label", "random")({"label": LINE}), "expected the case's name under 'case_id'"),
    ],
)
def test_what_cannot_be_fused_is_said(use, message):
    with pytest.raises(InputError, match=message):
        use()
