"""Mixed precision: the choice of precision and the autocast context of forward passes.

MONAI's engines write ``torch.autocast("cuda")``, so their own ``amp`` does nothing on a CPU. Here the inferer, which
makes every forward pass of a MONAI engine, opens the context; in bfloat16 the loss stays outside it, in float32.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from ignite import distributed as idist
from monai.inferers import Inferer, SimpleInferer
from torch import nn
from tqdm import tqdm

from .distributed import is_distributed, is_main_process
from .errors import InputError
from .options import as_flag

AUTO, BFLOAT16 = "auto", "bfloat16"
LARGEST_ERROR = 0.02  # rounding gives 0.2 to 0.6 %; convolutions that were wrong in some versions of oneDNN gave > 10 %
LEAST_GAIN = 1.05  # below this the rounding buys nothing


class Precision:
    """Choice between float32 and mixed precision, made once per run and kept when the run is resumed.

    On a GPU, ``auto`` is float16; MONAI's trainer is told too (`engine_amp`), because it scales the loss. On a CPU,
    ``auto`` takes bfloat16 where the CPU has units for it, where convolutions agree with float32 and where a trial of
    about a second shows a gain. The trial is made at the first forward pass, so that a resumed run takes the first
    run's choice instead.

    Args:
        amp: "auto"; true for mixed precision without a trial (float16 on a GPU, bfloat16 on a CPU); "bfloat16" for that
            on either, without a scaled loss, since it has the range of float32; false for float32.
        device: where the network runs.

    Raises:
        InputError: If amp is none of these.

    Examples:
        >>> [Precision(amp, "cuda").engine_amp for amp in ("auto", "bfloat16", False)]
        [True, False, False]
    """

    def __init__(self, amp: bool | str = "auto", device: str | torch.device = "cpu") -> None:
        name = amp.strip().lower() if isinstance(amp, str) else ""
        try:
            wanted = name in (AUTO, BFLOAT16) or as_flag(amp)
        except InputError as error:
            raise InputError(f"expected --amp true, false, auto or bfloat16, found {amp!r}") from error
        self.device_type = torch.device(device).type
        self.engine_amp = wanted and not self.on_cpu and name != BFLOAT16
        # None: to be chosen by a trial.
        self.uses_bfloat16: bool | None = None if name == AUTO and self.on_cpu else wanted and not self.engine_amp

    @property
    def on_cpu(self) -> bool:
        """Return whether the network runs on a CPU."""
        return self.device_type == "cpu"

    def context(self, spatial_dims: int = 3) -> AbstractContextManager:
        """Return the context of a forward pass; one that does nothing in float32.

        Args:
            spatial_dims: 2 or 3: the convolutions that a trial makes, if there is one yet to make.
        """
        if self.uses_bfloat16 is None:
            self._choose(spatial_dims)
        if self.engine_amp:
            return torch.autocast(self.device_type, torch.float16)
        return torch.autocast(self.device_type, torch.bfloat16) if self.uses_bfloat16 else nullcontext()

    def _choose(self, spatial_dims: int) -> None:
        gain, reason = try_bfloat16(spatial_dims) if is_main_process() else (False, "")
        if is_distributed():
            # One process decides for all: their gradients are averaged.
            gain = bool(idist.broadcast(float(gain), src=0))
        self.uses_bfloat16 = gain
        if is_main_process():
            tqdm.write(f"precision on the CPU: {'bfloat16' if gain else 'float32'} ({reason})")

    def state_dict(self) -> dict[str, Any]:
        """Return what a trial chose, for a resumed run; None on a GPU, where there is none."""
        return {"uses_bfloat16": self.uses_bfloat16 if self.on_cpu else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the choice of the first run; a run that moved between GPU and CPU makes its own."""
        if self.on_cpu and state["uses_bfloat16"] is not None:
            self.uses_bfloat16 = state["uses_bfloat16"]


class PrecisionInferer(Inferer):
    """An inferer whose network runs in the precision that a `Precision` chose.

    Args:
        precision: precision of the forward passes.
        inferer: makes the forward passes; None for one pass over the whole input.
    """

    def __init__(self, precision: Precision, inferer: Inferer | None = None) -> None:
        self.precision, self.inferer = precision, SimpleInferer() if inferer is None else inferer

    def __call__(self, inputs: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> Any:
        """Return what the inferer returns."""
        with self.precision.context(inputs.ndim - 2):
            return self.inferer(inputs, network, *args, **kwargs)


def has_bfloat16_units() -> bool:
    """Return whether the CPU multiplies in bfloat16 in hardware (AMX or AVX512-BF16)."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def try_bfloat16(spatial_dims: int = 3, seconds: float = 1.0) -> tuple[bool, str]:
    """Return whether bfloat16 is worth it on this CPU, and why in a few words.

    Args:
        spatial_dims: 2 or 3.
        seconds: how long the two are timed, in turns.
    """
    if not has_bfloat16_units():
        return False, "the CPU has neither AMX nor AVX512-BF16"
    # A resumed run makes no trial: the run's own random numbers are the same with and without one.
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(0)
        error = max(bfloat16_errors(spatial_dims))
        if not error < LARGEST_ERROR:
            return False, f"a convolution in bfloat16 is {error:.1%} from float32"
        gain = bfloat16_gain(spatial_dims, seconds)
    return gain >= LEAST_GAIN, f"{gain:.2f} times the speed of float32 in a trial, relative error {error:.1%}"


def bfloat16_errors(spatial_dims: int) -> list[float]:
    """Return |y_bf16 - y_fp32| / |y_fp32| of three convolutions, for the output and both gradients of each.

    The shapes are a U-Net's: 3 wide with stride 1 and 2, and transposed, 2 wide with stride 2.
    """
    plain = (nn.Conv2d, nn.Conv3d)[spatial_dims - 2]
    transposed = (nn.ConvTranspose2d, nn.ConvTranspose3d)[spatial_dims - 2]
    image = torch.randn(2, 16, *[12] * spatial_dims)
    errors = []
    for convolution in (
        plain(16, 32, 3, padding=1, bias=False),
        plain(16, 32, 3, 2, padding=1, bias=False),
        transposed(16, 32, 2, 2, bias=False),
    ):
        exact, rounded = (_output_and_gradients(convolution, image, on) for on in (False, True))
        errors += [float((b - a).norm() / a.norm()) for a, b in zip(exact, rounded, strict=True)]
    return errors


def bfloat16_gain(spatial_dims: int, seconds: float) -> float:
    """Return how many times faster bfloat16 is than float32: the fastest passes forward and back, taken in turns."""
    plain = (nn.Conv2d, nn.Conv3d)[spatial_dims - 2]
    network = nn.Sequential(plain(16, 32, 3, padding=1), nn.LeakyReLU(), plain(32, 32, 3, padding=1))
    image = torch.randn(2, 16, *([96, 96] if spatial_dims == 2 else [20, 28, 20]))
    times: tuple[list[float], list[float]] = ([], [])
    started = time.perf_counter()
    # The first pass of each prepares kernels and is not counted.
    while len(times[0]) < 4 or time.perf_counter() - started < seconds:
        for values, on in zip(times, (False, True), strict=True):
            start = time.perf_counter()
            _output_and_gradients(network, image, on)
            values.append(time.perf_counter() - start)
    exact, rounded = (min(values[1:]) for values in times)  # the passes that other programs disturbed least
    return exact / rounded


def _output_and_gradients(network: nn.Module, image: torch.Tensor, rounded: bool) -> list[torch.Tensor]:
    image = image.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
        output = network(image)
    gradients = torch.autograd.grad(output.float().square().mean(), [image, *network.parameters()])
    return [output.detach().float(), *(gradient.float() for gradient in gradients)]
