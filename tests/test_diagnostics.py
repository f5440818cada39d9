import numpy as np
import pytest
import torch
from ignite.engine import Engine
from matplotlib.figure import Figure
from monai.engines import SupervisedTrainer
from regionwise.cli import main
from regionwise.diagnostics import (
    GradientSigns,
    draw_triangle,
    gradient_figure,
    gradients,
    logit_gradient,
    negative_components,
    triangle_gradients,
)
from regionwise.errors import InputError
from regionwise.losses import DeepSupervisionLoss, make_loss
from regionwise.maps import KINDS, RECTIFIED_KINDS, rectify, region_wise_map
from regionwise.nifti import write_volume

LABELS = np.array([[0, 1, 2, 2, 2, 2, 3]])


def coarse_labels(num_classes: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, num_classes, (5, 5)).repeat(3, 0).repeat(3, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_that_of_autograd(kind):
    labels = coarse_labels()
    rw_map = region_wise_map(labels, 4, kind)
    logits = torch.randn(4, *labels.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    (torch.softmax(logits, 0) * torch.from_numpy(rw_map)).sum().backward()
    ours = logit_gradient(torch.softmax(logits, 0).detach().numpy(), rw_map)
    np.testing.assert_allclose(ours, logits.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rectified_map_has_one_negative_component_for_any_prediction(kind):
    labels = coarse_labels()
    rw_map = region_wise_map(labels, 4, kind)
    rw_map = rw_map if kind in RECTIFIED_KINDS else rectify(rw_map, labels)
    probabilities = np.random.default_rng(1).dirichlet(np.full(4, 0.5), labels.shape).transpose(2, 0, 1)
    probabilities = (probabilities + 1e-3) / 1.004
    assert (negative_components(rw_map) == 1).all()
    assert (negative_components(rw_map, probabilities) == 1).all()


def test_the_boundary_map_of_four_classes_has_more_by_hand():
    rw_map = region_wise_map(LABELS, 4, "boundary")
    assert rw_map[:, 0, 0].tolist() == [-1, 1, 2, 6]  # mean 2: two values lie below
    assert rw_map[:, 0, 1].tolist() == [1, -1, 1, 5]  # mean 1.5: three do
    assert negative_components(rw_map)[0, :2].tolist() == [2, 3]


def test_a_map_that_is_constant_over_classes_has_no_gradient():
    assert (negative_components(np.full((3, 4, 4), 7.0)) == 0).all()
    assert negative_components(np.zeros((3, 0, 4))).shape == (0, 4)


def test_triangle_of_a_rectified_voxel_points_to_its_true_class_everywhere():
    points, field = triangle_gradients(np.array([-1.0, 1.0, 1.0]), steps=10)
    assert points.shape == field.shape == (3, 36)
    np.testing.assert_allclose(points.sum(0), 1)
    assert (points > 0).all()
    assert (field[0] < 0).all()
    assert (field[1:] > 0).all()
    np.testing.assert_allclose(field.sum(0), 0, atol=1e-15)


def test_triangle_of_an_unrectified_voxel_raises_a_wrong_class_somewhere():
    _, field = triangle_gradients(np.array([-1.0, 1.0, 6.0]))
    assert (field[1] < 0).any()
    with pytest.raises(InputError, match=r"three classes, got shape \(2,\)"):
        triangle_gradients(np.zeros(2))
    with pytest.raises(InputError, match=r"at least 3 steps.*got 2"):
        triangle_gradients(np.zeros(3), steps=2)


def test_arrows_of_the_drawn_triangle_point_to_the_true_corner():
    axes = Figure().subplots()
    draw_triangle(axes, np.array([-1.0, 1.0, 1.0]), ("a", "b", "c"))
    (arrows,) = axes.collections
    assert (arrows.U < 0).all()  # the true class is the lower left corner
    assert {text.get_text() for text in axes.texts} == {"a", "b", "c"}


@pytest.mark.parametrize(("num_classes", "panels"), [(2, 2), (3, 3), (4, 3)])
def test_figure_shows_the_triangle_from_three_classes_on(num_classes, panels):
    labels = coarse_labels(num_classes)
    figure = gradient_figure(labels, region_wise_map(labels, num_classes, "boundary"), "title")
    titled = [axes for axes in figure.axes if axes.get_title()]
    assert len(titled) == panels
    shown = titled[1].images[0].get_array()
    assert (shown == negative_components(region_wise_map(labels, num_classes, "boundary"))).all()


def test_command_writes_a_picture(tmp_path, capsys):
    labels = np.zeros((10, 9, 4), np.uint8)
    labels[2:7, 2:7, 2] = coarse_labels()[:5, :5]
    write_volume(tmp_path / "labels.nii.gz", labels, np.diag([1, 1, 8, 1]))
    picture = tmp_path / "out" / "picture.png"
    assert main(["gradients", "--labels", str(tmp_path / "labels.nii.gz"), "--output", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "slice 2 of axis 2 have more than one negative gradient component" in capsys.readouterr().out
    gradients(str(tmp_path / "labels.nii.gz"), "boundary", str(picture), num_classes=5, rectified=True, overwrite=True)
    assert f"{picture}: 0.0% of the voxels" in capsys.readouterr().out


def test_command_takes_a_single_slice(tmp_path, capsys):
    write_volume(tmp_path / "labels.nii", coarse_labels().astype(np.uint8), np.eye(4))
    gradients(str(tmp_path / "labels.nii"), "rrw", str(tmp_path / "picture.svg"))
    assert "0.0% of the voxels have more than one" in capsys.readouterr().out


def test_command_takes_an_image_for_no_labels_before_it_computes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("regionwise.diagnostics.region_wise_map", None)
    write_volume(tmp_path / "image.nii.gz", np.arange(1000, dtype=np.float32).reshape(10, 10, 10), np.eye(4))
    assert main(["gradients", "--labels", str(tmp_path / "image.nii.gz"), "--output", str(tmp_path / "a.png")]) == 1
    assert "expected labels 0 to 63 in " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["labels.nii.gz", "--kind", "bondary"], "did you mean 'boundary'"),
        (
            ["labels.nii.gz", "--output", "picture.gif"],
            "expected --output to end in .png, .pdf or .svg, got picture.gif",
        ),
        (["labels.nii.gz", "--num_classes", "2"], "expected labels from 0 to 1, found 3"),
        (["missing.nii.gz"], "expected a NIfTI file at missing.nii.gz, not found"),
    ],
)
def test_command_says_what_it_cannot_use(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    write_volume("labels.nii.gz", coarse_labels().astype(np.uint8), np.eye(4))
    assert main(["gradients", "--labels", *options]) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["labels.nii.gz"]


class Writer:
    def __init__(self):
        self.values = {}

    def add_scalar(self, tag, value, step):
        self.values.setdefault(tag, []).append((step, value))


def test_handler_writes_one_negative_component_for_rrw_and_more_for_boundary():
    labels = torch.from_numpy(coarse_labels())[None, None]
    output = {"pred": torch.zeros(1, 4, 15, 15), "label": labels}
    for kind, single in (("rrw", True), ("boundary", False)):
        writer = Writer()
        trainer = Engine(lambda *_: output)
        GradientSigns(make_loss(kind), writer, interval=2).attach(trainer)
        trainer.run([0], max_epochs=4)
        assert [step for step, _ in writer.values["gradient_signs/single"]] == [2, 4]
        assert (writer.values["gradient_signs/single"][0][1] == 1) == single
        assert (writer.values["gradient_signs/mean"][0][1] == 1) == single


class Stacked(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 4, 1)

    def forward(self, image):
        return torch.stack([self.layer(image)] * 2, 1)


@pytest.mark.parametrize("decollate", [True, False])
def test_handler_works_in_monais_trainer_with_deep_supervision(decollate, tmp_path):
    labels = torch.from_numpy(coarse_labels())[None, None].repeat(2, 1, 1, 1)
    loss, network = DeepSupervisionLoss(make_loss("rrw")), Stacked()
    handler = GradientSigns(loss, log_dir=tmp_path)
    SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[{"image": torch.rand(2, 1, 15, 15), "label": labels}],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        loss_function=loss,
        decollate=decollate,
        train_handlers=[handler],
    ).run()
    handler.close()
    assert list(tmp_path.glob("events*"))
