import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from regionwise.distance import batch_distance, choose_backend, label_distance, normalized_distance
from regionwise.errors import InputError
from scipy.ndimage import distance_transform_edt

BACKENDS = ["edt", "torch"]
label_arrays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3, max_side=9), elements=st.integers(0, 3))
spacings = st.tuples(*[st.floats(0.25, 6.0, width=32)] * 3)


def by_class(labels: np.ndarray, spacing) -> np.ndarray:
    """SciPy, one class at a time; infinity where the class fills the array."""
    result = np.full(labels.shape, np.inf)
    for c in np.unique(labels):
        inside = labels == c
        if not inside.all():
            result[inside] = distance_transform_edt(inside, sampling=spacing)[inside]
    return result


@pytest.mark.parametrize("backend", BACKENDS)
def test_distances_along_a_line_are_those_one_counts(backend):
    labels = np.array([[0, 0, 0, 1, 1, 2]])
    assert label_distance(labels, backend=backend).tolist() == [[3, 2, 1, 1, 1, 1]]
    assert normalized_distance(labels, backend=backend) == pytest.approx(np.array([[1, 2 / 3, 1 / 3, 1, 1, 1]]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_spacing_belongs_to_the_axis_it_is_given_for(backend):
    labels = np.zeros((5, 5), np.uint8)
    labels[2, 2] = 1
    distance = label_distance(labels, (2.0, 1.0), backend)
    assert distance[0, 2] == 4.0
    assert distance[2, 0] == 2.0
    assert distance[0, 0] == pytest.approx(np.hypot(4, 2))
    assert distance[2, 2] == 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_spacing_of_three_axes(backend):
    labels = np.zeros((3, 3, 3), np.uint8)
    labels[0, 0, 0] = 1
    distance = label_distance(labels, (3.0, 5.0, 7.0), backend)
    assert [distance[2, 0, 0], distance[0, 2, 0], distance[0, 0, 2]] == [6.0, 10.0, 14.0]
    assert distance[1, 1, 1] == pytest.approx(np.sqrt(9 + 25 + 49))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_edge_of_the_array_is_no_boundary(backend):
    labels = np.zeros((1, 4), np.uint8)
    labels[0, 3] = 1
    assert label_distance(labels, backend=backend).tolist() == [[3, 2, 1, 1]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("value", [0, 2])
def test_a_label_that_fills_the_array_has_distance_1(backend, value):
    labels = np.full((4, 5), value, np.uint8)
    assert np.isinf(label_distance(labels, backend=backend)).all()
    assert (normalized_distance(labels, backend=backend) == 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_label_of_one_voxel_has_distance_1(backend):
    labels = np.zeros((7, 7, 7), np.int16)
    labels[3, 3, 3] = 3
    distance = normalized_distance(labels, backend=backend)
    assert distance[3, 3, 3] == 1
    assert distance[0, 0, 0] == 1
    assert distance[3, 3, 2] == pytest.approx(1 / np.sqrt(27))


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_voxels_give_no_distances(backend):
    assert normalized_distance(np.empty((0, 4), np.uint8), backend=backend).shape == (0, 4)


@pytest.mark.parametrize("backend", BACKENDS)
@given(labels=label_arrays, spacing=st.none() | spacings)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_parity_with_scipy_one_class_at_a_time(backend, labels, spacing):
    spacing = None if spacing is None else spacing[: labels.ndim]
    expected = by_class(labels, spacing)
    np.testing.assert_allclose(label_distance(labels, spacing, backend), expected, rtol=2e-6)
    normalized = normalized_distance(labels, spacing, backend)
    assert normalized.dtype == np.float32
    assert ((normalized > 0) & (normalized <= 1)).all()
    for c in np.unique(labels):
        inside = labels == c
        share = expected[inside] / expected[inside].max() if not inside.all() else 1
        np.testing.assert_allclose(normalized[inside], share, atol=1e-6)


def test_bit_identical_to_the_published_normalization_in_voxel_units():
    labels = np.random.default_rng(0).integers(0, 3, (6, 40, 40)).repeat(3, 1).repeat(3, 2)
    distance = normalized_distance(labels)
    for c in range(3):
        inside = labels == c
        published = distance_transform_edt(inside.astype(np.float32)).astype(np.float32)
        published = published / np.max(published + 1e-15)
        assert (distance[inside] == published[inside]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int8, np.int16, np.int32, np.int64, np.float32, np.float64])
def test_every_type_that_holds_integers(dtype):
    labels = np.random.default_rng(1).integers(0, 3, (8, 9))
    expected = normalized_distance(labels)
    assert (normalized_distance(labels.astype(dtype)) == expected).all()
    if dtype != np.uint16:  # torch has few operations on uint16
        assert (normalized_distance(torch.from_numpy(labels.astype(dtype))).numpy() == expected).all()


def test_boolean_masks_are_labels_0_and_1():
    mask = np.eye(6, dtype=bool)
    assert (normalized_distance(mask) == normalized_distance(mask.astype(np.uint8))).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_memory_layout(backend):
    base = np.random.default_rng(2).integers(0, 3, (10, 12, 14)).astype(np.uint8)
    spacing = (3.0, 1.0, 0.5)
    expected = normalized_distance(base, spacing, backend)
    assert (normalized_distance(np.asfortranarray(base), spacing, backend) == expected).all()
    strided = np.zeros((20, 12, 28), np.uint8)[::2, :, ::-2]
    strided[...] = base
    assert (normalized_distance(strided, spacing, backend) == expected).all()
    permuted = base.transpose(2, 0, 1).copy().transpose(1, 2, 0)
    assert (normalized_distance(permuted, spacing, backend) == expected).all()
    base.setflags(write=False)
    before = base.copy()
    assert (normalized_distance(base, spacing, backend) == expected).all()
    assert (base == before).all()
    tensor = torch.from_numpy(before).permute(2, 1, 0)
    assert (expected == normalized_distance(tensor, spacing[::-1], backend).numpy().T).all()


def test_more_labels_than_a_byte_holds():
    labels = np.arange(300).reshape(15, 20).repeat(3, 0)
    for backend in BACKENDS:
        assert (label_distance(labels, backend=backend) == label_distance(labels % 7 + 70000, backend=backend)).all()
        assert label_distance(labels, backend=backend).max() == 1


def test_what_comes_out_is_of_the_kind_that_went_in():
    labels = np.eye(5, dtype=np.uint8)
    assert isinstance(normalized_distance(labels), np.ndarray)
    assert isinstance(normalized_distance(labels, backend="torch"), np.ndarray)
    tensor = normalized_distance(torch.from_numpy(labels))
    assert isinstance(tensor, torch.Tensor)
    assert tensor.dtype == torch.float32


def test_large_volumes_take_the_threaded_pass_with_the_same_result():
    labels = np.zeros((110, 100, 100), np.uint8)
    labels[30:60, 20:70, 40:90] = 1
    inside = labels == 1
    expected = distance_transform_edt(inside)[inside]
    np.testing.assert_allclose(label_distance(labels)[inside], expected, rtol=1e-6)


def test_a_batch_is_each_image_by_itself():
    labels = torch.from_numpy(np.random.default_rng(3).integers(0, 3, (3, 9, 11)))
    labels[1] = 2
    for backend in BACKENDS:
        for normalized, single in ((True, normalized_distance), (False, label_distance)):
            batch = batch_distance(labels, (1.0, 2.0), normalized, backend, 3)
            assert torch.equal(batch, torch.stack([single(image, (1.0, 2.0), backend) for image in labels]))


def test_device_distance_in_small_pieces_is_the_same(monkeypatch):
    labels = torch.from_numpy(np.random.default_rng(4).integers(0, 2, (2, 13, 7, 5)))
    whole = batch_distance(labels, (1.0, 2.0, 3.0), False, "torch")
    monkeypatch.setattr("regionwise.distance_torch._CHUNK_ELEMENTS", 1)
    assert torch.equal(batch_distance(labels, (1.0, 2.0, 3.0), False, "torch"), whole)


def test_the_backend_follows_the_device():
    assert choose_backend("auto", np.zeros(3)) == "edt"
    assert choose_backend("auto", torch.zeros(3)) == "edt"
    assert choose_backend("auto", torch.zeros(3, device="meta")) == "torch"
    assert choose_backend("torch", torch.zeros(3)) == "torch"
    with pytest.raises(InputError, match="Unknown distance backend 'etd'; did you mean 'edt'"):
        choose_backend("etd", np.zeros(3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_distance_on_the_gpu_agrees_with_edt():
    labels = torch.from_numpy(np.random.default_rng(5).integers(0, 4, (4, 32, 28)).repeat(8, 1).repeat(8, 2))
    on_device = batch_distance(labels.cuda(), (1.0, 1.5), True, "auto", 4)
    assert on_device.is_cuda
    torch.testing.assert_close(on_device.cpu(), batch_distance(labels, (1.0, 1.5), True), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("labels", "spacing", "message"),
    [
        (np.array([[0, -1]]), None, r"expected labels >= 0, found -1"),
        (np.array([[0.0, np.nan]]), None, r"expected labels >= 0, found nan"),
        (np.array([[0.0, np.inf]]), None, r"expected labels >= 0, found inf"),
        (np.array([[0.0, 1.5]]), None, r"expected labels >= 0, found the fraction 1\.5"),
        (np.array([["a", "b"]]), None, r"expected integer labels, got an array of type <U1"),
        (np.zeros(4), None, r"expected labels with 2 or 3 axes, got shape \(4,\)"),
        (np.zeros((2, 2, 2, 2)), None, r"expected labels with 2 or 3 axes, got shape \(2, 2, 2, 2\)"),
        ([[0, 1]], None, r"expected labels as a NumPy array or a tensor, got list"),
        (np.zeros((2, 2)), (1.0,), r"expected a spacing of 2 positive numbers, one for each axis, got \(1\.0,\)"),
        (np.zeros((2, 2)), (1.0, 0.0), r"expected a spacing of 2 positive numbers.*got \(1\.0, 0\.0\)"),
        (np.zeros((2, 2)), (1.0, -2.0), r"got \(1\.0, -2\.0\)"),
        (np.zeros((2, 2)), (1.0, np.nan), r"got \(1\.0, nan\)"),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_cannot_be_used_is_said(labels, spacing, message, backend):
    with pytest.raises(ValueError, match=message):
        normalized_distance(labels, spacing, backend)
    with pytest.raises(InputError, match=message):
        label_distance(labels, spacing, backend)
