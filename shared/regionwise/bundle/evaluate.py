"""Evaluation of the predictions written by a bundle."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..distributed import barrier, is_main_process
from ..evaluation import EvaluationSettings
from ..evaluation.evaluate import evaluate_cases
from ..evaluation.pairing import pair_datalist, with_probabilities
from ..inference.save import PREDICTIONS, PROBABILITIES
from ..options import as_flag, as_path


def evaluate_datalist(
    data: Sequence[Mapping[str, Any]],
    dataset: str,
    output_dir: str | Path,
    regions: str | None = None,
    protocol: str = "full",
    probabilities: bool | str = False,
    about: Mapping[str, Any] | None = None,
    checkpoint: str | Sequence[str] = (),
) -> None:
    """Measure the predictions of the cases of a datalist and write cases.csv, summary.json and report.html.

    With several processes, the main one measures after all have written their predictions.

    Args:
        data: datalist of `regionwise.data`.
        dataset: its name, for class names and label values.
        output_dir: folder to write to, which holds ``predictions/<case_id>.nii.gz``.
        regions: name of a set of regions to measure beside the classes, such as ``brats``.
        protocol: ``full``, or ``paper`` (only slices that hold a label).
        probabilities: measure the calibration too, of the class probabilities in ``probabilities/``.
        about: further facts for the report: bundle, section, split, ...
        checkpoint: the weights that predicted, one file or several; the report names them by their SHA-256.
    """
    barrier()
    if not is_main_process():
        return
    settings = EvaluationSettings.from_options(dataset, regions=regions, protocol=protocol)
    out = as_path(output_dir, "output_dir")
    cases, problems = pair_datalist(str(out / PREDICTIONS), data)
    if as_flag(probabilities, "save_probabilities"):
        cases, more = with_probabilities(cases, str(out / PROBABILITIES))
        problems = [*problems, *more]
    said = {key: str(value) for key, value in (about or {}).items()}
    files = [checkpoint] if isinstance(checkpoint, str) else checkpoint
    if files:
        said["weights_sha256"] = " ".join(sha256(Path(file).read_bytes()).hexdigest() for file in files)
    # The folder is the bundle's own: the same command again replaces predictions and results alike.
    evaluate_cases(cases, str(out), settings, problems=problems, about=said, overwrite=True)
