"""Progress of a run: a bar, one printed line per epoch, and peak memory."""

import sys
import time
from typing import Any

import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events
from tqdm import tqdm

from ..distributed import is_main_process


def train_loss(output: Any) -> torch.Tensor:
    """Return the loss of a trainer's last iteration from ``engine.state.output``, decollated or not."""
    return torch.as_tensor((output[0] if isinstance(output, list) else output)["loss"]).detach()


def peak_memory() -> str:
    """Return the peak memory of this process: main memory and, with CUDA, GPU memory."""
    import resource  # Unix only: importing this module must work on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    used = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30:.2f} GiB"
    if torch.cuda.is_available():
        used += f", on the GPU {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB"
    return used


def _off(show: bool) -> bool | None:
    """Return tqdm's ``disable``: None draws a bar on a terminal only, so that log files stay readable."""
    return None if show else True


class Progress:
    """Progress bar over the whole run (time left included) and one printed line per epoch.

    A line: ``epoch 12/300  loss -0.8312  Dice 0.871  3.1 it/s  waiting for data 4 %``. The waiting share is the part
    of the epoch's training time spent waiting for the next batch.

    Args:
        evaluator: validation engine; its key metric is the Dice shown.
        metric: name of the key metric.
    """

    def __init__(self, evaluator: Engine, metric: str = "val_mean_dice") -> None:
        self.evaluator, self.metric, self.show = evaluator, metric, is_main_process()
        self.bar: tqdm | None = None

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start_epoch)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self.start_waiting)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self.stop_waiting)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.end_epoch)
        engine.add_event_handler(Events.COMPLETED, self.close)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.fail)

    def start(self, engine: Engine) -> None:
        """Open the bar; a resumed run starts where it was."""
        total = engine.state.max_epochs * engine.state.epoch_length
        self.bar = tqdm(total=total, initial=engine.state.iteration, unit="it", disable=_off(self.show), leave=False)

    def start_epoch(self, engine: Engine) -> None:
        """Reset the per-epoch figures; the first epoch opens the bar, when a resumed run knows its position."""
        if self.bar is None:
            self.start(engine)
        self.loss_sum: torch.Tensor | float = 0.0
        self.iterations, self.waited_s = 0, 0.0
        self.epoch_started_s = time.monotonic()
        self.training_ended_s = self.epoch_started_s
        assert self.bar is not None
        self.bar.set_description(f"epoch {engine.state.epoch}/{engine.state.max_epochs}")

    def start_waiting(self, engine: Engine) -> None:
        """Note when the trainer asks for a batch."""
        self.asked_s = time.monotonic()

    def stop_waiting(self, engine: Engine) -> None:
        """Add how long it waited."""
        self.waited_s += time.monotonic() - self.asked_s

    def step(self, engine: Engine) -> None:
        """Count an iteration. The loss stays on its device; reading it here would synchronize the GPU."""
        self.loss_sum = self.loss_sum + train_loss(engine.state.output)
        self.iterations += 1
        self.training_ended_s = time.monotonic()
        assert self.bar is not None
        self.bar.update()

    def end_epoch(self, engine: Engine) -> None:
        """Print the epoch's line and keep its figures in ``engine.state.metrics`` for other handlers."""
        seconds = self.training_ended_s - self.epoch_started_s
        figures = {
            "mean_train_loss": float(idist.all_reduce(self.loss_sum, "SUM")) / self.iterations / idist.get_world_size(),
            "iterations_per_second": self.iterations / seconds,
            "waiting_for_data": self.waited_s / seconds,
        }
        engine.state.metrics.update(figures)
        if not self.show:
            return
        validated_now = self.evaluator.state.epoch == engine.state.epoch
        dice = self.evaluator.state.metrics.get(self.metric) if validated_now else None
        dice_text = "" if dice is None else f"  Dice {float(dice):.3f}"
        assert self.bar is not None
        self.bar.set_postfix_str(f"loss {figures['mean_train_loss']:.4f}{dice_text}")
        tqdm.write(
            f"epoch {engine.state.epoch}/{engine.state.max_epochs}  loss {figures['mean_train_loss']:.4f}{dice_text}  "
            f"{figures['iterations_per_second']:.2f} it/s  waiting for data {figures['waiting_for_data']:.0%}"
        )

    def close(self, engine: Engine) -> None:
        """Close the bar and print how the run ended."""
        if self.bar is not None:
            self.bar.close()
        if not self.show:
            return
        state = self.evaluator.state
        if state.best_metric_epoch != -1:
            print(f"best Dice {float(state.best_metric):.4f} in epoch {state.best_metric_epoch}")
        print(f"peak memory {peak_memory()}")

    def fail(self, engine: Engine, error: BaseException) -> None:
        """Close the bar before the error is shown, and pass the error on."""
        if self.bar is not None:
            self.bar.close()
        raise error


class CaseProgress:
    """Progress over the cases of an evaluator: a bar on a terminal, a line per tenth of the cases elsewhere.

    Args:
        description: label of the bar.
    """

    def __init__(self, description: str = "inference") -> None:
        self.description, self.show = description, is_main_process()

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        engine.add_event_handler(Events.COMPLETED, lambda engine: self.bar.close())

    def start(self, engine: Engine) -> None:
        """Open the bar."""
        self.bar = tqdm(total=engine.state.epoch_length, desc=self.description, unit="case", disable=_off(self.show))

    def step(self, engine: Engine) -> None:
        """Count a case."""
        assert self.bar is not None
        self.bar.update()
        done, total = engine.state.iteration, engine.state.epoch_length
        if self.show and self.bar.disable and (done == total or done % max(1, total // 10) == 0):
            print(f"{self.description}: {done}/{total} cases", flush=True)
