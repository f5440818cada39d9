import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.transforms import (
    Compose,
    LoadImaged,
    RandAffined,
    RandFlipd,
    RandRotate90d,
    RandSpatialCropd,
    Spacingd,
    SqueezeDimd,
)
from regionwise.distance import normalized_distance
from regionwise.errors import InputError
from regionwise.losses import RegionWiseLoss
from regionwise.nifti import write_volume
from regionwise.transforms import NormalizedDistanced, StackTargetd

AFFINE = np.diag([2.0, 1.0, 5.0, 1.0])
BOTH = ["label", "distance"]


def label_map() -> MetaTensor:
    array = np.zeros((1, 12, 14, 6), np.uint8)
    array[:, 3:9, 4:10, 1:4] = 1
    array[:, 5:7, 6:8, 2:5] = 2
    return MetaTensor(torch.from_numpy(array), affine=AFFINE, meta={"filename_or_obj": "case.nii.gz"})


def test_distance_is_in_the_spacing_of_the_affine():
    label = label_map()
    data = NormalizedDistanced()({"label": label, "image": 1})
    distance = data["distance"]
    assert isinstance(distance, MetaTensor)
    assert distance.dtype == torch.float32
    assert torch.equal(distance.affine, label.affine)
    assert distance.meta["filename_or_obj"] == "case.nii.gz"
    assert (distance[0].numpy() == normalized_distance(label[0].numpy(), (2, 1, 5))).all()
    assert data["label"] is label
    assert data["image"] == 1


@pytest.mark.parametrize(("spacing", "expected"), [(None, (1, 1, 1)), ((1.0, 3.0, 0.5), (1, 3, 0.5))])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_distance_of_arrays_and_tensors_in_given_units(spacing, expected, kind):
    label = label_map().numpy()
    distance = NormalizedDistanced(spacing=spacing, output_key="d")({"label": kind(label)})["d"]
    assert isinstance(distance, type(kind(label)))
    assert (np.asarray(distance)[0] == normalized_distance(label[0], expected)).all()


def test_a_rotated_affine_gives_the_voxel_size():
    label = label_map()
    turned = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]) @ AFFINE
    distance = NormalizedDistanced()({"label": MetaTensor(label.as_tensor(), affine=turned)})["distance"]
    assert (distance[0].numpy() == normalized_distance(label[0].numpy(), (2, 1, 5))).all()


def test_a_slice_has_the_spacing_of_its_two_axes():
    crop = RandSpatialCropd(["label"], roi_size=(1, -1, -1), random_size=False)
    label = Compose([crop, SqueezeDimd(["label"], dim=1)])({"label": label_map()})["label"]
    distance = NormalizedDistanced()({"label": label})["distance"]
    assert (distance[0].numpy() == normalized_distance(label[0].numpy(), (1, 5))).all()


def test_random_spatial_transforms_move_label_and_distance_together():
    moves = Compose(
        [
            NormalizedDistanced(),
            RandFlipd(BOTH, prob=1, spatial_axis=2),
            RandRotate90d(BOTH, prob=1, max_k=1),
            RandSpatialCropd(BOTH, roi_size=(9, 9, 5), random_size=False),
            StackTargetd(),
        ]
    ).set_random_state(0)
    target = moves({"label": label_map()})["label"]
    assert target.shape == (2, 9, 9, 5)
    flipped = NormalizedDistanced()({"label": label_map()})
    both = torch.cat([flipped["label"].float(), flipped["distance"]]).as_tensor().flip(3).rot90(1, (1, 2))
    windows = both.unfold(1, 9, 1).unfold(2, 9, 1).unfold(3, 5, 1).flatten(1, 3)
    assert any(torch.equal(target.as_tensor(), windows[:, i]) for i in range(windows.shape[1]))


def test_after_an_affine_the_target_still_is_labels_and_shares():
    affine = RandAffined(BOTH, prob=1, rotate_range=0.4, mode=["nearest", "bilinear"], padding_mode="border")
    moves = Compose([NormalizedDistanced(), affine, StackTargetd()]).set_random_state(0)
    target = moves({"label": label_map()})["label"]
    assert set(target[0].unique().tolist()) == {0, 1, 2}
    assert target[1].min() > 0
    assert target[1].max() <= 1


def test_stacked_target_goes_through_a_data_loader_into_the_loss(tmp_path):
    write_volume(tmp_path / "a.nii.gz", label_map()[0].numpy(), AFFINE)
    transform = Compose(
        [
            LoadImaged("label", ensure_channel_first=True),
            Spacingd("label", (1, 1, 2.5), mode="nearest"),
            NormalizedDistanced(),
            StackTargetd(),
        ]
    )
    loader = DataLoader(Dataset([{"label": str(tmp_path / "a.nii.gz")}] * 2, transform), batch_size=2)
    (data,) = list(loader)
    assert set(data) == {"label"}
    target = data["label"]
    assert target.shape[:2] == (2, 2)
    logits = torch.randn(2, 3, *target.shape[2:], requires_grad=True)
    loss = RegionWiseLoss()(logits, target)
    loss.backward()
    assert type(loss) is torch.Tensor
    torch.testing.assert_close(loss, RegionWiseLoss(spacing=(1, 1, 2.5))(logits, target[:, :1]))


def test_the_target_may_have_a_key_of_its_own():
    data = StackTargetd(output_key="target")(NormalizedDistanced()({"label": label_map()}))
    assert set(data) == {"label", "target"}
    assert data["label"].shape == (1, 12, 14, 6)


def test_a_missing_key_may_be_allowed():
    assert NormalizedDistanced(allow_missing_keys=True)({"image": 1}) == {"image": 1}
    with pytest.raises(KeyError, match="label"):
        NormalizedDistanced()({"image": 1})


def test_what_cannot_be_used_is_said():
    with pytest.raises(InputError, match="expected a MetaTensor with an affine under 'label', got ndarray"):
        NormalizedDistanced()({"label": np.zeros((1, 4, 4))})
    with pytest.raises(InputError, match=r"expected 'label' with one channel \(1, \*spatial\), got shape \(2, 4, 4\)"):
        NormalizedDistanced()({"label": np.zeros((2, 4, 4))})
    with pytest.raises(InputError, match="expected the key of one label map"):
        NormalizedDistanced(keys=["a", "b"])
    with pytest.raises(InputError, match="expected spacing 'affine', None or one number per axis, got 'pixdim'"):
        NormalizedDistanced(spacing="pixdim")
    with pytest.raises(InputError, match="expected the keys of a label map and of its distance"):
        StackTargetd(keys=["label"])
    with pytest.raises(InputError, match=r"'label' and 'distance' of one shape.*\(1, 4, 4\) and \(1, 4, 5\)"):
        StackTargetd()({"label": torch.zeros(1, 4, 4), "distance": torch.zeros(1, 4, 5)})
