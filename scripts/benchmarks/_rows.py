"""Rows of `benchmark.py`: maps, losses, training steps and precision, each against what it replaces."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import published
import torch
from _timing import Row, Work
from monai.bundle import ConfigParser
from monai.losses import BoundaryLoss, DiceCELoss, DiceLoss, HausdorffDTLoss
from regionwise.distance import batch_distance, normalized_distance
from regionwise.losses import DeepSupervisionLoss, make_loss
from regionwise.maps import batch_map, region_wise_map
from regionwise.precision import Precision, PrecisionInferer

BUNDLE = Path(__file__).resolve().parents[2] / "bundles" / "acdc_rrw"


def anatomy(shape: tuple[int, ...], num_classes: int, seed: int, extent: float = 0.25) -> np.ndarray:
    """Return nested, off-center ellipsoids, uint8: one inside the other, as tumors and hearts are labeled."""
    generator = np.random.default_rng(seed)
    axes = [np.linspace(-1, 1, size, dtype=np.float32) for size in shape]
    labels = np.zeros(shape, np.uint8)
    center = generator.uniform(-0.3, 0.3, len(shape))
    for label in range(1, num_classes):
        radii = extent * generator.uniform(0.8, 1.5, len(shape)) * (num_classes - label) / (num_classes - 1) + 0.05
        terms = [((axis - c) / r) ** 2 for axis, c, r in zip(axes, center, radii, strict=True)]
        labels[sum(np.ix_(*terms)) < 1] = label
    return labels


def brats_labels() -> np.ndarray:
    """Return a volume of BraTS's shape."""
    return anatomy((240, 240, 155), 4, 0)


def slices(number: int, shape: tuple[int, int], num_classes: int) -> np.ndarray:
    """Return (number, *shape) slices, every class in each."""
    return np.stack([anatomy(shape, num_classes, seed) for seed in range(number)])


def map_rows() -> Iterator[Row]:
    """Yield the rows about maps."""
    volume, batch = brats_labels(), slices(41, (256, 256), 3)
    tensor = torch.from_numpy(batch)
    code = "published code (SciPy per class)"

    def theirs() -> np.ndarray:
        return published.published_rrw_map(volume, 4)

    what = "240x240x155, 4 classes"
    yield Row(f"RRW map, {what}", code, lambda: region_wise_map(volume, 4), theirs, 18, True, True, "map")
    yield Row(f"RRW d̂, {what}", code, lambda: normalized_distance(volume), theirs, 20, True, True, "distance")
    yield Row(
        "RRW maps of a 2-D batch, 41x256x256, 3 classes",
        code,
        lambda: batch_map(tensor, 3, "rrw", (1.0, 1.0)),
        lambda: [published.published_rrw_map(image, 3) for image in batch],
        6,
        True,
    )


def loss_rows() -> Iterator[Row]:
    """Yield the rows about losses, forward and backward from logits."""
    labels = torch.from_numpy(slices(10, (256, 224), 4)).long()[:, None]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(10, 4, 256, 224, generator=generator).requires_grad_()
    compact = torch.cat([labels.float(), batch_distance(labels[:, 0], (1.0, 1.0), True)[:, None]], 1)
    cross_entropy, rrw = torch.nn.CrossEntropyLoss(), make_loss("rrw")
    options = {"to_onehot_y": True, "softmax": True}
    dice_ce = DiceCELoss(**options)
    hausdorff, boundary = HausdorffDTLoss(include_background=True, **options), BoundaryLoss(**options)

    def both_ways(loss: Callable, target: torch.Tensor) -> Work:
        def work() -> None:
            logits.grad = None
            loss(logits, target).backward()

        return work

    ours, what = both_ways(rrw, compact), "RRW loss and gradient, labels + d̂, 10x4x256x224"
    yield Row(what, "torch CrossEntropyLoss", ours, both_ways(cross_entropy, labels[:, 0]), 1.0)
    annealed = both_ways(make_loss("rrw:annealed"), compact)
    yield Row(
        "generalized rectified loss (rrw:annealed) and gradient, labels + d̂, 10x4x256x224",
        "torch CrossEntropyLoss",
        annealed,
        both_ways(cross_entropy, labels[:, 0]),
        1.0,
    )
    yield Row(what, "MONAI DiceCELoss", ours, both_ways(dice_ce, labels), 0.4)
    yield Row(what, "MONAI HausdorffDTLoss", ours, both_ways(hausdorff, labels), 0.05, slow=True)
    yield Row(what, "MONAI BoundaryLoss", ours, both_ways(boundary, labels), 0.1, slow=True)
    yield Row(
        "the same from labels, d̂ on the fly",
        "published loss (SciPy per class inside)",
        both_ways(rrw, labels),
        both_ways(published.published_region_wise_loss, labels),
        0.3,
    )
    soft = torch.softmax(3 * torch.randn(logits.shape, generator=generator), 1)
    monai = {"hard": (both_ways(DiceLoss(**options), labels), labels)}
    monai["soft"] = (both_ways(DiceLoss(softmax=True, soft_label=True), soft), soft)
    for name in ("dml", "jml", "dml:version=2", "dice:missing_labels", "dice:empty_labels"):
        for kind, (theirs, target) in monai.items():
            mine = both_ways(make_loss(name, soft=kind == "soft"), target)
            yield Row(f"{name} and gradient, {kind} labels, 10x4x256x224", "MONAI DiceLoss", mine, theirs, 1.0)


def step_rows(batch_size: int = 2) -> Iterator[Row]:
    """Yield the row about a whole training step of the ACDC bundle's network, maps made from each batch."""
    parser = ConfigParser()
    parser.read_config(BUNDLE / "configs" / "train.json")
    network = parser.get_parsed_content("network_def").train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=3e-5)
    shape = tuple(parser.get_parsed_content("patch_size"))
    labels = torch.from_numpy(slices(batch_size, shape, 4)).long()[:, None]
    images = torch.randn(batch_size, 1, *shape, generator=torch.Generator().manual_seed(0))

    def step(loss: torch.nn.Module) -> Work:
        def work() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss(network(images), labels).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
            optimizer.step()

        return work

    rrw = DeepSupervisionLoss(make_loss("rrw"))
    dice_ce = DeepSupervisionLoss(DiceCELoss(to_onehot_y=True, softmax=True))
    what = f"training step, DynUNet 2-D of the ACDC bundle, {batch_size}x256x224, maps of the batch"
    yield Row(what, "the same step with MONAI DiceCELoss", step(rrw), step(dice_ce), 1.05, slow=True)


def precision_rows() -> Iterator[Row]:
    """Yield the rows about a training step in the precision that ``amp: auto`` chooses on this CPU, and in float32."""
    wide = {"filters": [32, 64, 128, 256]}
    for what, bundle, overrides in (
        ("DynUNet 2-D of the ACDC bundle", "acdc_rrw", {}),
        ("DynUNet 3-D of the hippocampus bundle", "hippocampus_rrw", {}),
        ("the same with twice the filters", "hippocampus_rrw", wide),
    ):
        auto, full = (bundle_step(bundle, amp, overrides) for amp in ("auto", False))
        yield Row(f"training step, {what}, amp: auto", "float32", auto, full, 1.0, True, slow=True)


def bundle_step(bundle: str, amp: bool | str, overrides: dict, batch_size: int = 2) -> Work:
    """Return one training step of a bundle's network: forward, loss, backward, optimizer."""
    parser = ConfigParser()
    parser.read_config(BUNDLE.with_name(bundle) / "configs" / "train.json")
    parser.update(overrides)
    network, shape, classes = (parser.get_parsed_content(name) for name in ("network_def", "patch_size", "num_classes"))
    labels = torch.from_numpy(np.stack([anatomy(tuple(shape), classes, seed) for seed in range(batch_size)]))
    images = torch.randn(batch_size, 1, *shape, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(network.train().parameters(), lr=1e-4)
    inferer, loss = PrecisionInferer(Precision(amp, "cpu")), DeepSupervisionLoss(make_loss("dice_ce"))

    def work() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(inferer(images, network), labels.long()[:, None]).backward()
        optimizer.step()

    return work


def device_rows() -> Iterator[Row]:
    """Yield the row about the distance on a GPU, where there is one."""
    if not torch.cuda.is_available():
        print("no CUDA device: the row about the distance on a GPU is left out", file=sys.stderr)
        return
    labels = torch.from_numpy(slices(58, (256, 224), 4)).long().cuda()
    logits = torch.randn(58, 4, 256, 224, device="cuda", requires_grad=True)
    dice_ce = DiceCELoss(to_onehot_y=True, softmax=True)

    def ours() -> None:
        batch_distance(labels, (1.0, 1.0), True, "auto", 4)
        torch.cuda.synchronize()

    def theirs() -> None:
        logits.grad = None
        dice_ce(logits, labels[:, None]).backward()
        torch.cuda.synchronize()

    yield Row("d̂ on the GPU, 58x256x224", "MONAI DiceCELoss and gradient there", ours, theirs, 1.0)
