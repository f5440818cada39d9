"""Steps of `gpu.py` in one process: does the GPU compute what the CPU does, and how fast."""

import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median

import torch
from monai.losses import DiceCELoss
from regionwise.distance import normalized_distance
from regionwise.losses import LOSS_NAMES, make_loss
from regionwise.training import augment_batch_, make_augmentation
from regionwise.training.augmentation_draws import DRAWS
from torch.utils.data import default_collate

TOLERANCE = 1e-6
CLASSES = 4


def correctness_lines(device: str, out: Path, toy: bool) -> Iterator[tuple[str, str, str, str]]:
    """Yield the largest deviations from the CPU: distance, losses under autocast, augmentation; and compilation."""
    del out
    yield _deviation("distance, against the CPU's", max(_distance_errors(device, toy)), TOLERANCE)
    for dtype in (torch.float16, torch.bfloat16):
        if dtype == torch.float16 and device == "cpu":
            continue  # half of its operations are missing there
        worst = max(_loss_error(name, device, dtype) for name in LOSS_NAMES)
        name = str(dtype).removeprefix("torch.")
        yield _deviation(f"{len(LOSS_NAMES)} losses, forward and backward under autocast of {name}", worst, 0.02)
    for dims in (2, 3):
        yield _deviation(f"augmentation of a batch, {dims}-D, without noise", _augmentation_error(dims, device), 1e-3)
    compiled = torch.compile(torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU()).to(device))
    image = torch.randn(1, 1, 16, 16, device=device)
    yield _deviation("torch.compile of a convolution", _error(compiled(image), compiled._orig_mod(image)), 1e-2)


def speed_lines(device: str, out: Path, toy: bool) -> Iterator[tuple[str, str, str, str]]:
    """Yield times of the distance, of the reference loss and of augmentation at the size of the ACDC plan."""
    del out
    count, size = (2, (32, 32)) if toy else (58, (256, 224))
    logits = torch.randn(count, CLASSES, *size, device=device, requires_grad=True)
    labels = _labels((count, *size)).to(device)
    dice_ce, rrw = DiceCELoss(to_onehot_y=True, softmax=True), make_loss("rrw")

    def step(loss: Callable) -> Callable[[], None]:
        return lambda: torch.autograd.grad(loss(logits, labels[:, None]), logits)[0].sum().item()

    turns = 3 if toy else 21
    plain_ms, region_wise_ms = in_turns([step(dice_ce), step(rrw)], device, turns)
    what = f"DiceCE, forward and backward, {count} x {CLASSES} x {' x '.join(map(str, size))}"
    yield what, f"{plain_ms:.2f} ms", "", ""
    yield "rrw with its distance on the fly, against it", f"{region_wise_ms / plain_ms:.2f} of the time", "", ""
    image, target = torch.randn(count, 1, *size, device=device), torch.rand(count, 2, *size, device=device)
    draw = make_augmentation("device", 2).set_random_state(seed=0)

    def augment() -> None:
        augment_batch_(image, target, default_collate([draw({})[DRAWS] for _ in range(count)]))

    (augment_ms,) = in_turns([augment], device, turns)
    yield "augmentation of the batch", f"{count / augment_ms * 1e3:.0f} samples/s", "", ""
    if device != "cpu":
        peak = torch.cuda.max_memory_allocated() / 2**30
        yield "peak memory of these", f"{peak:.2f} GiB", "", ""


def in_turns(works: list[Callable[[], object]], device: str, turns: int) -> list[float]:
    """Return the median times in ms, taken in turns after one unmeasured turn."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(turns + 1):
        for work, values in zip(works, times, strict=True):
            _wait(device)
            start = time.perf_counter()
            work()
            _wait(device)
            if turn:
                values.append((time.perf_counter() - start) * 1e3)
    return [median(values) for values in times]


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def _deviation(what: str, value: float, limit: float) -> tuple[str, str, str, str]:
    return what, f"{value:.2g}", f"<= {limit:g}", "yes" if value <= limit else "no"


def _labels(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """Return blocks of random labels, 4 voxels wide."""
    coarse = [-(-length // 4) for length in shape[1:]]
    labels = torch.randint(CLASSES, (shape[0], *coarse), generator=torch.Generator().manual_seed(seed))
    for axis, length in enumerate(shape[1:], start=1):
        labels = labels.repeat_interleave(4, axis).narrow(axis, 0, length)
    return labels


def _error(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.detach().cpu() - other.detach().cpu()).abs().max())


def _distance_errors(device: str, toy: bool) -> Iterator[float]:
    shapes = [(20, 24), (8, 12, 10)] if toy else [(256, 224), (512, 512), (41, 256, 256), (155, 240, 240)]
    for shape, unit in product(shapes, (True, False)):
        labels = _labels((1, *shape))[0]
        spacing = None if unit else (3.0, 1.4, 0.7)[: len(shape)]
        found = normalized_distance(labels.to(device), spacing, backend="torch")
        yield _error(found, normalized_distance(labels, spacing, backend="edt"))


def _loss_error(name: str, device: str, dtype: torch.dtype) -> float:
    """Return the largest deviation of value and gradient from float32 on the CPU, relative to the largest of each."""
    found = []
    labels = _labels((2, 16, 20))[:, None]
    logits = torch.randn(2, CLASSES, 16, 20, generator=torch.Generator().manual_seed(0)).to(dtype)
    for where, on in (("cpu", False), (device, True)):
        own = logits.float().to(where).requires_grad_()
        with torch.autocast(torch.device(where).type, dtype, enabled=on):
            value = make_loss(name)(own.to(dtype) if on else own, labels.to(where))
        (gradient,) = torch.autograd.grad(value, own)
        found.append((value, gradient))
    return max(_error(a, b) / max(float(b.abs().max()), 1e-3) for a, b in zip(found[1], found[0], strict=True))


def _augmentation_error(dims: int, device: str) -> float:
    """Return the share of values that differ between the device and the CPU: those where a rounding decides."""
    size = (40, 32) if dims == 2 else (20, 24, 16)
    generator = torch.Generator().manual_seed(0)
    image, label = torch.randn(32, 1, *size, generator=generator), _labels((32, *size))[:, None].float()
    draw = make_augmentation("device", dims).set_random_state(seed=0)
    draws = default_collate([draw({})[DRAWS] for _ in range(32)])
    draws["noise_std"].zero_()  # a GPU's random numbers are others
    results = []
    for where in ("cpu", device):
        own = image.to(where, copy=True), label.to(where, copy=True)
        augment_batch_(*own, draws)
        results.append([one.cpu() for one in own])
    return max(float(((a - b).abs() > 1e-3).float().mean()) for a, b in zip(*results, strict=True))
