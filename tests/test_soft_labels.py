import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.data import MetaTensor
from monai.transforms import Compose, Resized, Spacingd
from regionwise.data.load import LoadCased
from regionwise.data.patches import PatchDataset, VolumeDataset
from regionwise.data.store import preprocess, write_case
from regionwise.errors import InputError, find_input_error
from regionwise.fusion import FuseRatersd
from regionwise.losses import make_loss
from regionwise.soft_labels import (
    CompleteBackgroundd,
    SoftLabelsd,
    normalized_relu,
    one_hot,
    smooth_by_distance,
    smooth_by_neighbors,
    soft_augmentation,
)
from regionwise.training import nnunet_augmentation
from regionwise.training.foreground import batch_counts
from scipy.stats import norm

from .datasets.cases import write_case as write_files

label_arrays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3, max_side=7), elements=st.integers(0, 2))


@given(labels=label_arrays)
@settings(deadline=None, derandomize=True, max_examples=30)
def test_smoothed_labels_are_probabilities_and_keep_the_class(labels):
    labels = torch.from_numpy(labels)
    for soft in (smooth_by_distance(labels, 3, 0.7), smooth_by_neighbors(labels, 3)):
        assert soft.min() >= 0
        torch.testing.assert_close(soft.sum(0), torch.ones(labels.shape))
        own = soft.gather(0, labels[None].long())[0]
        assert (own >= 0.5 - 1e-6).all() or (own >= soft.amax(0) - 1e-6).all()
    assert torch.equal(smooth_by_distance(labels, 3, 0), one_hot(labels, 3))
    torch.testing.assert_close(smooth_by_distance(labels, 3, 1e-6), one_hot(labels, 3))


def test_distance_smoothing_is_the_normal_distribution_in_mm():
    labels = torch.zeros(1, 6, dtype=torch.uint8)
    labels[0, 3:] = 1
    expected = norm.cdf(np.array([-5, -3, -1, 1, 3, 5]) / 2)  # the boundary is between voxels of 2 mm
    soft = smooth_by_distance(labels, 2, sigma_mm=2.0, spacing=(9.0, 2.0))
    np.testing.assert_allclose(soft[1, 0], expected, atol=1e-6)
    # spacing (9, 2): the smallest counts for the half voxel
    expected = norm.cdf((9 * np.array([1, 1]) - 4.5) / 3)
    soft = smooth_by_distance(torch.tensor([[1], [0]]), 2, 3.0, (9.0, 9.0))
    np.testing.assert_allclose(soft[[1, 0], [0, 1], 0], expected, atol=1e-6)


def test_absent_and_full_classes_stay():
    soft = smooth_by_distance(torch.ones(4, 4), 3, 5.0)
    assert torch.equal(soft, one_hot(torch.ones(4, 4), 3))
    halves = torch.zeros(4, 4)
    halves[2:] = 1
    assert not smooth_by_distance(halves, 3, 5.0)[2].any()


def test_neighbors_have_half_the_weight():
    labels = torch.zeros(7, 7, dtype=torch.uint8)
    labels[3, 3] = 1
    soft = smooth_by_neighbors(labels, 2)
    assert soft[1, 3, 3].item() == pytest.approx(0.5)
    side, corner = np.exp(-0.5), np.exp(-1.0)
    assert soft[1, 3, 4].item() == pytest.approx(side / (8 * (side + corner)))
    assert soft[1, 2, 4].item() == pytest.approx(corner / (8 * (side + corner)))
    assert soft[1].count_nonzero() == 9
    volume = torch.zeros(5, 5, 5, dtype=torch.uint8)
    volume[2, 2, 2] = 1
    soft = smooth_by_neighbors(volume, 2)
    assert soft[1, 2, 2, 2].item() == pytest.approx(0.5)
    assert soft[1].sum().item() == pytest.approx(1)


def test_resampling_keeps_partial_volumes():
    label = torch.zeros(1, 4, 4)
    label[0, :, 1] = 1  # a strip of one voxel, halved
    soft = SoftLabelsd("label", 2)({"label": label})
    half = Resized("label", (2, 2), mode="area")(soft)["label"]
    assert half.tolist() == [[[0.5, 1], [0.5, 1]], [[0.5, 0], [0.5, 0]]]
    meta = MetaTensor(torch.zeros(1, 4, 4, 2), affine=torch.diag(torch.tensor([1.0, 1.0, 5.0, 1.0])))
    meta[0, 1:3, 1:3] = 1
    soft = SoftLabelsd("label", 2, "distance", 0.5)({"label": meta})["label"]
    assert isinstance(soft, MetaTensor)
    assert soft.pixdim.tolist() == [1, 1, 5]
    finer = Spacingd("label", (0.7, 0.7, 5), mode="bilinear")({"label": soft})["label"]
    torch.testing.assert_close(finer.sum(0).as_subclass(torch.Tensor), torch.ones(finer.shape[1:]))


def test_the_background_is_completed():
    soft = torch.tensor([[[0.2, 0.0, 0.0]], [[0.3, 0.0, 0.9]], [[0.1, 0.0, 0.9]], [[0.7, 0.0, 0.8]]])  # the last is d̂
    done = CompleteBackgroundd("label", 3)({"label": soft})["label"]
    torch.testing.assert_close(done[0, 0], torch.tensor([0.6, 1.0, 0.0]))
    torch.testing.assert_close(done[1, 0], torch.tensor([0.3, 0.0, 0.5]))
    assert torch.equal(done[3], soft[3])
    with pytest.raises(InputError, match=r"expected 'label' as soft labels of 5 classes.* got 3 channels"):
        CompleteBackgroundd("label", 5)({"label": soft[:3]})


def stored(tmp_path, soft):
    """A dataset of one stored case: half of its voxels belong to class 1, or 0.25 of each of them."""
    label = torch.zeros(1, 12, 10, 4)
    label[0, 6:] = 1
    label = MetaTensor(torch.cat([1 - 0.75 * label, 0.75 * label]) if soft else label)
    write_case(tmp_path / "case", "case", torch.randn(1, 12, 10, 4), label, slice_axis=2)
    return tmp_path / "case"


@pytest.mark.parametrize("distance", ["precomputed", "on_the_fly"])
@pytest.mark.parametrize("patch_size", [(16, 8), (16, 8, 4)])
def test_soft_labels_travel_from_the_store_to_the_loss(tmp_path, monkeypatch, distance, patch_size):
    from regionwise.data import patches
    from regionwise.data.store import StoredCase

    case = StoredCase("case", stored(tmp_path, soft=True))
    monkeypatch.setattr(patches, "preprocess", lambda *_: [case])
    augmentation = soft_augmentation(nnunet_augmentation(len(patch_size), None, 1.0, linear_labels=True), 2)
    data = PatchDataset([], None, tmp_path, patch_size, distance, augmentation)
    loss = make_loss("rrw:annealed+dml:equal", soft=True)
    seen = set()
    for index in range(12):
        label = data[index]["label"]
        assert label.shape == (2 + (distance == "precomputed"), *patch_size)
        seen |= set(label[1].unique().tolist())
        assert loss(torch.zeros(1, 2, *patch_size), label[None]).isfinite()
    assert 0.75 in seen
    assert len(seen) > 10  # turned and zoomed without rounding
    assert VolumeDataset([], None, tmp_path, patch_size)[0]["label"].unique().tolist() == [0, 1]  # for the metrics


def test_a_hard_store_has_no_soft_labels(tmp_path):
    from regionwise.data.store import StoredCase

    assert StoredCase("case", stored(tmp_path, soft=False)).soft is None


def test_several_raters_become_soft_labels_in_the_store(tmp_path):
    item = write_files(tmp_path, "a")
    other = np.asarray(nib.load(item["label"]).dataobj).copy()
    other[other == 2] = 1
    nib.save(nib.Nifti1Image(other, nib.load(item["label"]).affine), tmp_path / "other.nii.gz")
    item["label"] = [item["label"], item["label"], item["label"], str(tmp_path / "other.nii.gz")]
    load, fuse = LoadCased(["image", "label"], "msd"), FuseRatersd("label", "average", num_classes=3)
    (case,) = preprocess([item], Compose([load, fuse]), tmp_path / "cache", progress=False)
    assert case.soft.shape[0] == 3
    assert sorted(np.unique(case.soft[2]).tolist()) == [0, 0.75]
    assert np.array_equal(case.label > 0, case.soft[0] < 0.5)
    with pytest.raises(InputError, match=r"expected one label map of a, found 4, of several raters; .*FuseRatersd"):
        preprocess([item], Compose([load]), tmp_path / "cache", progress=False)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_the_collapse_guard_counts_soft_labels(num_classes):
    labels = torch.randint(0, num_classes, (2, 1, 6, 6), generator=torch.Generator().manual_seed(0))
    logits, distance = torch.randn(2, num_classes, 6, 6), torch.ones(2, 1, 6, 6)
    soft = torch.stack([one_hot(image[0], num_classes) for image in labels])
    hard = batch_counts({"pred": logits, "label": torch.cat([labels, distance], 1)}, num_classes)
    assert torch.equal(batch_counts({"pred": logits, "label": torch.cat([soft, distance], 1)}, num_classes), hard)


def test_normalized_relu_is_per_volume_and_class():
    output = torch.tensor([[[[-1.0, 2.0, 4.0]], [[-1.0, -3.0, -2.0]]], [[[10.0, 5.0, -5.0]], [[0.0, 1.0, 0.5]]]])
    expected = [[[[0, 0.5, 1]], [[0, 0, 0]]], [[[1, 0.5, 0]], [[0, 1, 0.5]]]]
    assert normalized_relu(output).tolist() == expected
    assert torch.equal(normalized_relu(output[:1]), normalized_relu(output)[:1])  # whatever else is in the batch


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: SoftLabelsd("label", 2, "gauss"), "Unknown smoothing 'gauss'; choices: none, distance, neighbors"),
        (lambda: SoftLabelsd("label", 2)({"label": torch.zeros(2, 4, 4)}), "expected 'label' with one channel"),
        (lambda: SoftLabelsd("label", 2)({"label": torch.full((1, 4, 4), 2)}), "expected labels from 0 to 1, found 2"),
        (lambda: smooth_by_distance(torch.zeros(4, 4), 2, -1), "expected sigma_mm >= 0, found -1"),
        (lambda: smooth_by_neighbors(torch.zeros(4, 4), 2, 0), "expected sigma > 0, found 0"),
    ],
)
def test_what_cannot_be_smoothed_is_said(use, message):
    with pytest.raises(InputError, match=message):
        use()


def test_an_augmentation_without_soft_labels_says_what_is_missing():
    with pytest.raises(RuntimeError) as wrapped:  # MONAI's
        soft_augmentation(Compose([]), 3)({"image": torch.zeros(1, 4, 4), "label": torch.zeros(1, 4, 4)})
    assert "SoftLabelsd in the preprocessing makes them" in str(find_input_error(wrapped.value))
