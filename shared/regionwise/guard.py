"""A handler that refuses scans and weights which would give a wrong label map, or lose one, and says so in a line.

MONAI's reader stops before the checksum of a ``.nii.gz``, segments NaN voxels and several volumes at once without a
word, takes weights that are NaN, and writes over a scan that lies in the output folder. The bundles' ``inference.json``
does not name this handler: a packed one has to run without this package.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from .errors import InputError, describe_in_one_line, show_input_errors_in_one_line
from .nifti import read_header, write_volume
from .scans import WRITING, check_folder, check_outputs, find_scan_problems, find_scans
from .weights import load_checkpoint, mismatch


class Guard:
    """Check the scans, the output folder and the weights before the work, and every prediction during it.

    A handler of the evaluator; list it first. A scan that cannot be segmented does not stop the others: it is named at
    once and again at the end, and the run then ends with an error.

    Args:
        input: a NIfTI file or a folder of them (see `find_scans`).
        output_dir: where ``<scan>.nii.gz`` go.
        checkpoint: the weights, checked against the evaluator's network when it starts; None leaves them unchecked.
        modalities: endings of the files that make one scan, in channel order; None: one file is one scan.
        overwrite: True, or "true", to write over label maps of an earlier run.

    Attributes:
        scans: datalist of the scans that can be segmented, ``{"image": file or files}``.
        problems: a line for each other scan.

    Raises:
        InputError: nothing to segment, two scans would be written to one file, an output would overwrite an input or
            (without ``overwrite``) an earlier result, or the output folder cannot be written to.
    """

    def __init__(
        self,
        input: str,
        output_dir: str,
        checkpoint: str | None = None,
        modalities: Sequence[str] | None = None,
        overwrite: bool | str = False,
    ) -> None:
        sys.excepthook = show_input_errors_in_one_line
        self.output_dir = check_folder(output_dir)
        self.checkpoint = checkpoint
        found = find_scans(input, modalities)
        self.outputs = check_outputs(found, self.output_dir, str(overwrite).lower() == "true")
        self.scans: list[dict[str, Any]] = []
        self.problems: list[str] = []
        for scan in found:
            problems = find_scan_problems(scan["image"])
            self.problems += problems[:1]
            if problems and len(found) > 1:
                print(f"not segmented: {problems[0]}", file=sys.stderr)
            elif not problems:
                self.scans.append(scan)
        if not self.scans:
            self.finish()

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.STARTED, self.check_weights)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.check_prediction)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.keep)
        engine.add_event_handler(Events.COMPLETED, self.finish)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.clean_up)

    def check_weights(self, engine: Engine) -> None:
        """Compare the checkpoint with the network before it is loaded.

        Raises:
            InputError: it is missing, damaged, holds more than tensors, does not fit, or a value is not finite.
        """
        if self.checkpoint is None:
            return
        content = load_checkpoint(self.checkpoint)
        weights = content.get("model", content) if isinstance(content, dict) else content
        if not isinstance(weights, dict) or not all(torch.is_tensor(value) for value in weights.values()):
            raise InputError(f"expected the weights of a network in {self.checkpoint}, found {type(weights).__name__}")
        problem = mismatch(engine.network.state_dict(), weights)
        if problem:
            raise InputError(
                f"the checkpoint {self.checkpoint} does not fit the network: {problem}; "
                "pass the run's network settings with --args_file RUN/network.json"
            )
        broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
        if broken:
            raise InputError(
                f"expected finite weights in {self.checkpoint}, found NaN or infinity in {len(broken)} of "
                f"{len(weights)}, first {broken[0]}; train again or take another checkpoint"
            )

    def check_prediction(self, engine: Engine) -> None:
        """Raise where the network gave NaN or infinity, whose arg max would be a label map like any other."""
        prediction = engine.state.output["pred"].as_subclass(torch.Tensor)
        if not torch.isfinite(prediction).all():
            names = engine.state.output["image"].meta.get("filename_or_obj", "a scan")
            raise InputError(f"expected finite scores from the network, NaN or infinity in {names}; try --amp false")

    def keep(self, engine: Engine | None = None) -> None:
        """Move label maps that are whole to the output folder."""
        for path in self.outputs:
            written = self.output_dir / WRITING / path.name
            if written.is_file():
                _restore_axes(written)
                written.replace(path)
        _remove_if_empty(self.output_dir / WRITING)

    def clean_up(self, engine: Engine, error: BaseException) -> None:
        """Remove the label map that was being written, and raise."""
        for path in self.outputs:
            (self.output_dir / WRITING / path.name).unlink(missing_ok=True)
        _remove_if_empty(self.output_dir / WRITING)
        line = describe_in_one_line(error)
        if line is None or isinstance(error, InputError):
            raise error
        raise InputError(f"stopped while segmenting into {self.output_dir}: {line}") from error

    def finish(self, engine: Engine | None = None) -> None:
        """Raise if a scan was not segmented.

        Raises:
            InputError: its reason, or how many there are and the first.
        """
        if not self.problems:
            return
        total = len(self.problems) + len(self.scans)
        if total == 1:
            raise InputError(self.problems[0])
        raise InputError(f"{len(self.problems)} of {total} scans were not segmented, first: {self.problems[0]}")


def _restore_axes(path: Path) -> None:
    """Give a label map of one slice its third axis back: MONAI's writer drops last axes of length 1."""
    image = read_header(path)
    if len(image.shape) < 3:
        array = np.asarray(image.dataobj).reshape(*image.shape, *[1] * (3 - len(image.shape)))
        write_volume(path, array, image.affine)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # another run writes into it, or it is not there
        return
