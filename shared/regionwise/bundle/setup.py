"""Set up a bundle's run: one-line errors, a checked command line, fixed seeds."""

import signal
import sys
import threading
from pathlib import Path

from monai.utils import set_determinism

from ..errors import InputError, show_input_errors_in_one_line
from .command_line import current_command
from .lint import find_problems


def setup(seed: int = 0) -> None:
    """Prepare a run: show user errors as one line, check the command line, fix the seeds.

    The configuration is checked only when this process was started by ``python -m monai.bundle run``: its command
    line is all that tells which files and overrides were given. From Python, call `regionwise.bundle.lint.lint`.

    Args:
        seed: seed of Python, NumPy and torch.

    Raises:
        InputError: If the configuration or an override is wrong.
    """
    sys.excepthook = show_input_errors_in_one_line
    _end_as_after_ctrl_c()
    command = current_command()
    if command is not None:
        problems = find_problems(command.files, command.overrides, command.run_id)
        if problems:
            more = f" (and {len(problems) - 1} more: python -m regionwise lint)" if len(problems) > 1 else ""
            raise InputError(problems[0] + more)
    set_determinism(seed=seed)


def _end_as_after_ctrl_c() -> None:
    """Let SIGTERM, with which queues and containers end a run, end it as Ctrl-C does: files whole, and in one line."""
    in_main_thread = threading.current_thread() is threading.main_thread()  # only there may handlers be set
    if in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def find_bundle_root(name: str) -> str:
    """Return the folder of a bundle, from inside it, from the repository's root, or where the runner found it.

    Args:
        name: name of the bundle's folder, such as ``acdc_rrw``.

    Raises:
        InputError: If it is in none of these places.
    """
    candidates = [Path(), Path("bundles") / name, *map(Path, sys.path)]
    for folder in candidates:
        config = folder / "configs" / "train.json"
        if config.is_file() and f'"{name}"' in config.read_text(encoding="utf-8"):
            return str(folder)
    raise InputError(f"cannot find the bundle {name} from here; pass --bundle_root DIR")
