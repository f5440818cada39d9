import numpy as np
import published
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from regionwise.errors import InputError
from regionwise.maps import KINDS, RECTIFIED_KINDS, SIGNED_POWERS, is_rectified, rectify, region_wise_map
from regionwise.nifti import read_labels
from scipy.ndimage import distance_transform_edt

label_arrays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3, max_side=8), elements=st.integers(0, 2))
spacings = st.none() | st.tuples(*[st.floats(0.25, 6.0, width=32)] * 3)
LINE = np.array([[0, 0, 0, 1, 1, 2]])


def literal(labels: np.ndarray, num_classes: int, kind: str, spacing) -> np.ndarray:
    """Equation by equation, voxel by class; where the published code is right, its transcription."""
    present = [c for c in range(num_classes) if (labels == c).any() and not (labels == c).all()]
    truth = published.one_hot(labels, num_classes).astype(bool)
    if kind in SIGNED_POWERS:
        z = np.zeros(truth.shape)
        if present:  # the published code fails on an absent first class
            expected_map = published.published_boundary_map(np.searchsorted(present, labels), len(present), spacing)
            z[present] = np.sign(expected_map) * np.abs(expected_map).astype(np.float64) ** SIGNED_POWERS[kind]
        return z
    if kind in ("active_contour", "cao"):
        return np.where(truth, 0 if kind == "active_contour" else -1, 1)
    if not present:
        return np.where(truth, -1 if kind == "rrw" else 0, 1)
    if kind == "rrw":
        return published.published_rrw_map(labels, num_classes, spacing)
    smallest = 1 if spacing is None else min(spacing)
    z = np.ones(truth.shape)
    for c in present:
        z[c][truth[c]] = -smallest / distance_transform_edt(truth[c], sampling=spacing)[truth[c]]
    return z


def test_rrw_map_along_a_line():
    expected = [[-1, -2 / 3, -1 / 3, 1, 1, 1], [1, 1, 1, -1, -1, 1], [1, 1, 1, 1, 1, -1]]
    np.testing.assert_allclose(region_wise_map(LINE, 3)[:, 0], expected, atol=1e-7)


def test_boundary_map_along_a_line():
    expected = [[-3, -2, -1, 1, 2, 3], [3, 2, 1, -1, -1, 1], [5, 4, 3, 2, 1, -1]]
    assert region_wise_map(LINE, 3, "boundary")[:, 0].tolist() == expected
    squared = region_wise_map(LINE, 3, "hausdorff_one_sided")[:, 0]
    assert squared.tolist() == [[np.sign(value) * value**2 for value in row] for row in expected]


def test_boundary_map_in_millimeters():
    assert region_wise_map(LINE, 3, "boundary", (9.0, 2.0))[0, 0].tolist() == [-6, -4, -2, 2, 4, 6]


def test_the_other_maps_along_a_line():
    assert region_wise_map(LINE, 3, "active_contour")[1, 0].tolist() == [1, 1, 1, 0, 0, 1]
    assert region_wise_map(LINE, 3, "cao")[1, 0].tolist() == [1, 1, 1, -1, -1, 1]
    inverse = region_wise_map(LINE, 3, "inverse_distance", (1.0, 2.0))
    np.testing.assert_allclose(inverse[0, 0], [-1 / 6, -1 / 4, -1 / 2, 1, 1, 1])
    finest = region_wise_map(LINE, 3, "inverse_distance", (2.0, 2.0))
    np.testing.assert_allclose(finest[0, 0], [-1 / 3, -1 / 2, -1, 1, 1, 1])


@pytest.mark.parametrize("kind", KINDS)
@given(labels=label_arrays, spacing=spacings)
@settings(deadline=None, derandomize=True, max_examples=30)
def test_parity_with_a_literal_transcription(kind, labels, spacing):
    spacing = None if spacing is None else spacing[: labels.ndim]
    expected = literal(labels, 4, kind, spacing)  # class 3 is always absent
    for backend in ("edt", "torch"):
        z = region_wise_map(labels, 4, kind, spacing, backend=backend)
        assert z.dtype == np.float32
        np.testing.assert_allclose(z, expected, rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["edt", "torch"])
def test_absent_and_full_classes(kind, backend):
    z = region_wise_map(np.full((4, 5), 1, np.uint8), 3, kind, backend=backend)
    off, own = (0, 0) if kind in SIGNED_POWERS else (1, {"rrw": -1, "cao": -1}.get(kind, 0))
    assert (z[[0, 2]] == off).all()
    assert (z[1] == own).all()


def test_an_absent_class_does_not_inherit_distances_as_in_the_published_code():
    labels = np.array([[0, 0, 1, 1]])
    expected_map = published.published_boundary_map(labels, 3)
    assert expected_map[2].any()
    assert not region_wise_map(labels, 3, "boundary")[2].any()
    assert (region_wise_map(labels, 3)[2] == 1).all()


def test_a_class_of_one_voxel():
    labels = np.zeros((5, 5, 5), np.uint8)
    labels[2, 2, 2] = 1
    assert region_wise_map(labels, 2)[1, 2, 2, 2] == -1
    assert region_wise_map(labels, 2, "boundary")[1, 2, 2, 2] == -1
    assert region_wise_map(labels, 2, "boundary")[1, 2, 2, 0] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_one_class_only(kind):
    z = region_wise_map(np.zeros((3, 4)), 1, kind)
    assert z.shape == (1, 3, 4)
    assert is_rectified(z, np.zeros((3, 4)))
    assert (rectify(z, np.zeros((3, 4))) == z).all()


@pytest.mark.parametrize("kind", KINDS)
def test_class_weights_multiply_all_values_of_a_voxel(kind):
    labels = np.random.default_rng(0).integers(0, 3, (6, 7))
    weights = np.array([1.0, 2.0, 0.5])
    plain, emphasized = region_wise_map(labels, 3, kind), region_wise_map(labels, 3, kind, class_weights=weights)
    np.testing.assert_allclose(emphasized, plain * weights[labels], rtol=1e-6)
    assert kind in SIGNED_POWERS or is_rectified(emphasized, labels)


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_type_and_kind_of_input(kind):
    base = np.random.default_rng(1).integers(0, 3, (5, 6, 7)).astype(np.uint8)
    spacing = (3.0, 1.0, 0.5)
    expected = region_wise_map(base, 3, kind, spacing)
    for labels in (np.asfortranarray(base), base.astype(np.int64), base.astype(np.float32), base.astype(np.uint16)):
        labels.setflags(write=False)
        assert (region_wise_map(labels, 3, kind, spacing) == expected).all()
    strided = np.zeros((10, 6, 14), np.int16)[::-2, :, ::2]
    strided[...] = base
    assert (region_wise_map(strided, 3, kind, spacing) == expected).all()
    tensor = region_wise_map(torch.from_numpy(base), 3, kind, spacing)
    assert isinstance(tensor, torch.Tensor)
    assert (tensor.numpy() == expected).all()


@given(labels=label_arrays, z=st.integers(0, 2**31))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_any_map_can_be_rectified(labels, z):
    z = np.random.default_rng(z).normal(size=(3, *labels.shape)).astype(np.float32)
    result = rectify(z, labels)
    own = published.one_hot(labels, 3).astype(bool)
    assert (result[own] == z[own]).all()
    np.testing.assert_allclose(result.sum(0), z.sum(0), atol=1e-5)
    off = np.where(own, np.nan, result)
    assert (np.nanmax(off, 0) == np.nanmin(off, 0)).all()
    np.testing.assert_allclose(rectify(result, labels), result, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_which_maps_are_rectified(kind):
    labels = np.random.default_rng(2).integers(0, 4, (4, 4)).repeat(4, 0).repeat(4, 1)
    z = region_wise_map(labels, 4, kind)
    assert is_rectified(z, labels) == (kind in RECTIFIED_KINDS)
    assert is_rectified(rectify(z, labels), labels)
    assert is_rectified(torch.from_numpy(rectify(z, labels)), torch.from_numpy(labels))


def test_a_map_that_pushes_away_from_the_true_class_is_not_rectified():
    labels = np.array([[0, 1]])
    assert not is_rectified(-region_wise_map(labels, 2), labels)
    assert not is_rectified(-region_wise_map(labels, 3), labels)


def test_with_two_classes_the_boundary_map_is_rectified():
    labels = np.eye(5, dtype=np.uint8)
    assert is_rectified(region_wise_map(labels, 2, "boundary"), labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": np.array([[0, 3]])}, r"expected labels from 0 to 2, found 3"),
        ({"labels": torch.tensor([[0, 3]])}, r"expected labels from 0 to 2, found 3"),
        ({"labels": np.array([[0, -1]])}, r"expected labels from 0 to 2, found -1"),
        ({"labels": np.array([[0, 0.5]])}, r"expected labels from 0 to 2, found the fraction 0\.5"),
        ({"labels": np.zeros(3)}, r"2 or 3 axes, got shape \(3,\)"),
        ({"num_classes": 0}, r"num_classes to be an integer >= 1, got 0"),
        ({"num_classes": 2.5}, r"num_classes to be an integer >= 1, got 2\.5"),
        ({"kind": "rwr"}, r"Unknown region-wise map 'rwr'; did you mean 'rrw'\? choices: rrw, "),
        ({"spacing": (1.0, 1.0, 1.0)}, r"expected a spacing of 2 positive numbers"),
        ({"class_weights": (1.0, 2.0)}, r"expected 3 positive class weights, got \[1\.0, 2\.0\]"),
        ({"class_weights": (1.0, 2.0, 0.0)}, r"expected 3 positive class weights, got \[1\.0, 2\.0, 0\.0\]"),
    ],
)
def test_what_cannot_be_used_is_said(arguments, message):
    with pytest.raises(InputError, match=message):
        region_wise_map(**{"labels": LINE, "num_classes": 3, **arguments})


def test_rectify_says_which_shape_it_expects():
    with pytest.raises(InputError, match=r"expected a map of shape \(C, 2, 2\), got \(3, 2, 4\)"):
        rectify(np.zeros((3, 2, 4)), np.zeros((2, 2)))
    with pytest.raises(InputError, match="expected labels from 0 to 2, found 5"):
        is_rectified(np.zeros((3, 2, 2)), np.full((2, 2), 5))


def test_parity_on_a_real_scan_in_millimeters(real_data):
    for path in sorted((real_data / "msd_task04_hippocampus" / "labelsTr").glob("hippocampus_*.nii.gz"))[:2]:
        volume = read_labels(path)
        expected = published.published_rrw_map(volume.array, 3, volume.spacing_mm)
        np.testing.assert_allclose(region_wise_map(volume.array, 3, "rrw", volume.spacing_mm), expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("class_weights", [None, (1.0, 2.0, 3.0)])
@given(labels=label_arrays, spacing=spacings)
@settings(deadline=None, derandomize=True, max_examples=25)
def test_soft_labels_of_zero_and_one_have_the_map_of_hard_ones(kind, class_weights, labels, spacing):
    spacing = None if spacing is None else spacing[: labels.ndim]
    soft = np.stack([labels == c for c in range(3)]).astype(np.float32)
    expected = region_wise_map(labels, 3, kind, spacing, class_weights)
    made = region_wise_map(soft, 3, kind, spacing, class_weights, soft=True)
    np.testing.assert_allclose(made, expected, atol=1e-6, rtol=1e-6)
    assert torch.equal(
        region_wise_map(torch.from_numpy(soft), 3, kind, spacing, class_weights, soft=True), torch.from_numpy(made)
    )


def test_soft_maps_along_a_line_by_hand():
    # The most probable classes are 0 0 1 1, so that d̂ is 1 1/2 1/2 1 and the distance to the boundary 2 1 1 2.
    soft = np.array([[[1, 0.75, 0.25, 0]], [[0, 0.25, 0.75, 1]]])
    assert region_wise_map(soft, 2, soft=True).tolist() == [
        [[-1, 0.25 - 0.75 / 2, 0.75 - 0.25 / 2, 1]],
        [[1, 0.75 - 0.25 / 2, 0.25 - 0.75 / 2, -1]],
    ]
    assert region_wise_map(soft, 2, "boundary", soft=True)[1].tolist() == [[2, 0.5, -0.5, -2]]
    assert region_wise_map(soft, 2, "hausdorff_one_sided", soft=True)[1].tolist() == [[4, 0.5, -0.5, -4]]
    assert region_wise_map(soft, 2, "cao", soft=True)[0].tolist() == [[-1, -0.5, 0.5, 1]]
    weighted = region_wise_map(soft, 2, "cao", None, (1.0, 3.0), soft=True)  # (1 - y) w of the others - y w
    assert weighted[:, 0, 1].tolist() == [0.25 * 3 - 0.75, 0.75 - 0.25 * 3]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 4, 4)), r"expected soft labels \(3, \*spatial\) with 2 or 3 spatial axes, got shape \(2, 4, 4\)"),
        (np.zeros((3, 4, 4)), "sums of 1 at each voxel, found 0 to 0; the background is 1 minus"),
        (np.full((3, 4, 4), 2.0), r"values in \[0, 1\] at each voxel, found 2 to 2"),
        ([[0.5]], "expected soft labels as a NumPy array or a tensor, got list"),
    ],
)
def test_what_is_no_soft_label_is_said(labels, message):
    with pytest.raises(InputError, match=message):
        region_wise_map(labels, 3, soft=True)
